"""What a node is configured with, and what each of Kafka's users may do."""

from __future__ import annotations

from pathlib import Path

import pytest
from confluent_kafka.admin import AclOperation, ResourceType

from broker.access import bindings, grants
from broker.properties import server_properties
from broker.settings import BrokerSettings
from broker.topics import wanted_topics
from clickpulse.dead_letters import DEAD_LETTER_MAX_BYTES, connect_topic, redriven_topic
from clickpulse.errors import ConfigurationError
from clickpulse.settings import PRINCIPALS, KafkaSettings, SinkSettings


def node(**settings) -> BrokerSettings:
    return BrokerSettings(cluster_id="abc", jars=Path("/jars"), **settings)


def admin() -> KafkaSettings:
    return KafkaSettings(sasl_username="admin", sasl_password="canary")


def test_one_node_listens_on_loopback_alone_and_lets_nobody_in_unchecked() -> None:
    properties = server_properties(node(port=1, controller_port=2), admin())
    assert properties["listeners"] == "CLIENT://127.0.0.1:1,CONTROLLER://127.0.0.1:2"
    assert properties["listener.security.protocol.map"] == "CLIENT:SASL_SSL,CONTROLLER:SSL"
    assert properties["listener.name.controller.ssl.client.auth"] == "required"
    assert properties["allow.everyone.if.no.acl.found"] == "false"
    assert properties["controller.quorum.voters"] == "1@127.0.0.1:2"


def test_three_nodes_survive_the_loss_of_one() -> None:
    voters = "1@kafka-1:9093,2@kafka-2:9093,3@kafka-3:9093"
    properties = server_properties(node(node_id=2, voters=voters, replicas=3, advertised_host="kafka-2"), admin())
    assert properties["controller.quorum.voters"] == voters
    assert properties["offsets.topic.replication.factor"] == 3
    assert properties["transaction.state.log.min.isr"] == 2
    assert properties["advertised.listeners"] == "CLIENT://kafka-2:9092"


def test_a_node_outside_the_quorum_is_told() -> None:
    with pytest.raises(ValueError, match="lacks node 4"):
        node(node_id=4, voters="1@kafka-1:9093")


def test_a_missing_certificate_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKPULSE_CREDS_DIR", str(tmp_path))
    monkeypatch.setenv("KAFKA_BROKER_JARS", "/jars")
    monkeypatch.setenv("KAFKA_BROKER_CLUSTER_ID", "abc")
    with pytest.raises(ConfigurationError, match=r"there is no .*kafka\.pem; `clickpulse certs` makes it"):
        BrokerSettings.load_node()


def test_a_password_is_not_shown_with_the_settings() -> None:
    assert "canary" not in repr(admin())


def test_every_user_but_the_admin_has_rights_and_none_can_change_them() -> None:
    rights = grants(KafkaSettings(), SinkSettings())
    assert {*rights, "admin"} == set(PRINCIPALS)
    for principal, given in rights.items():
        operations = {(binding.restype, binding.operation) for binding in bindings(principal, given)}
        assert operations
        forbidden = {AclOperation.ALTER, AclOperation.DELETE, AclOperation.ALTER_CONFIGS, AclOperation.ALL}
        assert not {operation for _, operation in operations} & forbidden, principal
        assert (ResourceType.BROKER, AclOperation.CREATE) not in operations


def test_only_the_producer_writes_events_and_only_a_sink_or_viewer_reads_them() -> None:
    kafka = KafkaSettings()
    rights = grants(kafka, SinkSettings())

    def may(operation: AclOperation) -> set[str]:
        return {
            principal
            for principal, given in rights.items()
            for grant in given
            if grant.resource == ResourceType.TOPIC and grant.name == kafka.topic and operation in grant.operations
        }

    assert may(AclOperation.WRITE) == {"producer"}
    assert may(AclOperation.READ) == {"sink", "connect"}


def test_nobody_but_the_admin_writes_what_was_redriven() -> None:
    kafka = KafkaSettings()
    topic = redriven_topic(kafka.dead_letter_topic)
    assert topic in {wanted.name for wanted in wanted_topics(kafka)}
    writers = {
        principal
        for principal, given in grants(kafka, SinkSettings()).items()
        for grant in given
        if grant.resource == ResourceType.TOPIC
        and AclOperation.WRITE in grant.operations
        and (grant.name in {topic, "*"} or (grant.prefix and topic.startswith(grant.name)))
    }
    assert writers == set()


def test_what_was_redriven_is_never_forgotten_and_letters_may_have_any_time() -> None:
    kafka = KafkaSettings()
    topics = {topic.name: topic.config for topic in wanted_topics(kafka)}
    assert topics[redriven_topic(kafka.dead_letter_topic)]["cleanup.policy"] == "compact"
    for name in (kafka.dead_letter_topic, connect_topic(kafka.dead_letter_topic)):
        assert topics[name]["retention.ms"] == "-1"
        assert int(topics[name]["message.timestamp.after.max.ms"]) == 2**63 - 1
        assert int(topics[name]["max.message.bytes"]) == DEAD_LETTER_MAX_BYTES
