"""Registration and topics on the real registry and broker."""

import json

import httpx
import pytest
from confluent_kafka.admin import ConfigResource

from broker.topics import ensure_topics
from clickpulse.clients import kafka_admin
from clickpulse.errors import ConfigurationError, TransientError
from clickpulse.settings import RegistrySettings
from producer.registry import register, subject_of
from producer.wire import read_schema
from tests.support import wait_for


def registered(topic: str) -> list[int]:
    url = f"{RegistrySettings.load().url}/subjects/{subject_of(topic)}/versions"
    return list(httpx.get(url).raise_for_status().json())


def changed_schema(**entries) -> str:
    schema = json.loads(read_schema())
    next(field for field in schema["fields"] if field["name"] == "request_latency_ms").update(entries)
    return json.dumps(schema)


def test_registering_twice_gives_the_same_id_and_sets_the_compatibility(own_topics):
    topic, settings = own_topics.kafka.topic, RegistrySettings.load()
    ids = [register(read_schema(), topic, settings, timeout_seconds=20) for _ in range(2)]
    assert ids[0] == ids[1]
    assert registered(topic) == [1]
    answer = httpx.get(f"{settings.url}/config/{subject_of(topic)}").raise_for_status().json()
    assert answer["compatibilityLevel"] == "BACKWARD"
    stored = httpx.get(f"{settings.url}/schemas/ids/{ids[0]}").raise_for_status().json()["schema"]
    assert json.loads(stored)["fields"][0]["name"] == "event_id"


def test_a_compatible_change_is_a_new_version(own_topics):
    topic, settings = own_topics.kafka.topic, RegistrySettings.load()
    register(read_schema(), topic, settings, timeout_seconds=20)
    register(changed_schema(type="long"), topic, settings, timeout_seconds=20)
    assert registered(topic) == [1, 2]


def test_an_incompatible_schema_stops_the_producer_and_the_field_is_named(own_topics):
    """An older schema had text where ours has a number: ours can't read those events."""
    register(changed_schema(type="string"), own_topics.kafka.topic, RegistrySettings.load(), timeout_seconds=20)
    status, output, errors = own_topics.run("simulate", "--rate", "10", "--duration", "1")
    assert (status, output) == (1, "")
    last = errors.strip().splitlines()[-1]
    assert "field request_latency_ms: its type changed from string to int" in last
    assert "user_interaction.avsc" in last
    assert registered(own_topics.kafka.topic) == [1]
    assert own_topics.events() == []


def test_a_new_field_without_default_is_named(own_topics):
    topic, settings = own_topics.kafka.topic, RegistrySettings.load()
    register(read_schema(), topic, settings, timeout_seconds=20)
    schema = json.loads(read_schema())
    schema["fields"].append({"name": "channel", "type": "string"})
    with pytest.raises(ConfigurationError, match="field channel is new and has no default"):
        register(json.dumps(schema), topic, settings, timeout_seconds=20)


def test_topics_are_made_once_and_kept_by_size(own_topics):
    for _ in range(2):
        ensure_topics(own_topics.kafka, timeout_seconds=20)
    admin = kafka_admin(own_topics.kafka)
    topics = admin.list_topics(timeout=10).topics
    assert len(topics[own_topics.kafka.topic].partitions) == 6
    assert len(topics[own_topics.kafka.dead_letter_topic].partitions) == 1
    resource = ConfigResource(ConfigResource.Type.TOPIC, own_topics.kafka.topic)
    config = admin.describe_configs([resource])[resource].result(timeout=10)
    assert config["retention.ms"].value == "-1"
    assert config["retention.bytes"].value == str(own_topics.kafka.retention_bytes)
    assert config["message.timestamp.type"].value == "CreateTime"


def test_a_changed_setting_reaches_an_existing_topic(own_topics):
    ensure_topics(own_topics.kafka, timeout_seconds=20)
    changed = own_topics.kafka.model_copy(update={"retention_bytes": 123_456_789})
    ensure_topics(changed, timeout_seconds=20)
    resource = ConfigResource(ConfigResource.Type.TOPIC, changed.topic)
    admin = kafka_admin(changed)  # lives until the answer is there

    def retention() -> str:
        value: str = admin.describe_configs([resource])[resource].result(timeout=10)["retention.bytes"].value
        return value

    wait_for(lambda: retention() == "123456789", seconds=20, what="the broker to know what its controller accepted")


def test_another_number_of_partitions_is_told(own_topics):
    ensure_topics(own_topics.kafka, timeout_seconds=20)
    wrong = own_topics.kafka.model_copy(update={"partitions": 4})
    with pytest.raises(ConfigurationError, match=r"has 6 partitions and KAFKA_PARTITIONS is 4.*KAFKA_PARTITIONS=6"):
        ensure_topics(wrong, timeout_seconds=20)


def test_an_unreachable_broker_is_told_after_the_time_allowed(own_topics):
    nowhere = own_topics.kafka.model_copy(update={"bootstrap_servers": "127.0.0.1:1"})
    with pytest.raises(TransientError, match=r"Kafka 127\.0\.0\.1:1 does not answer.*KAFKA_BOOTSTRAP_SERVERS"):
        ensure_topics(nowhere, timeout_seconds=1)


def test_an_unreachable_registry_is_told_after_the_time_allowed(own_topics):
    nowhere = RegistrySettings.load(url="http://127.0.0.1:1/apis/ccompat/v7")
    with pytest.raises(TransientError, match=r"Registry http://127\.0\.0\.1:1.* does not answer.*SCHEMA_REGISTRY_URL"):
        register(read_schema(), own_topics.kafka.topic, nowhere, timeout_seconds=1)
