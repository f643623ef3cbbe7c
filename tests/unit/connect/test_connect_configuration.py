"""What the worker and the connector are told: rendered from settings, without a secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import AnyHttpUrl, SecretStr

from clickpulse.errors import ConfigurationError
from clickpulse.settings import (
    PROJECT_ROOT,
    ClickHouseSettings,
    ConnectSettings,
    KafkaSettings,
    RegistrySettings,
    SinkSettings,
)
from connect.connector import connector_config
from connect.schemas import registry_url
from connect.worker_properties import worker_properties

KAFKA_PASSWORD, CLICKHOUSE_PASSWORD = "kafka-secret", "clickhouse-secret"
SECURE = KafkaSettings(
    sasl_username="connect", sasl_password=SecretStr(KAFKA_PASSWORD), ssl_ca_location=Path("/certs/ca.crt"),
    bootstrap_servers="kafka:9092", replication_factor=3,
)  # fmt: skip
CLICKHOUSE = ClickHouseSettings(
    url=AnyHttpUrl("https://clickhouse:8443"), password=SecretStr(CLICKHOUSE_PASSWORD), reader_password=SecretStr("x")
)
WORKER = ConnectSettings(plugin_path=Path("/plugins"))


@pytest.fixture(autouse=True)
def creds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKPULSE_CREDS_DIR", "/secrets")


def connector(**sink: object) -> dict[str, str]:
    return connector_config(WORKER, SECURE, CLICKHOUSE, SinkSettings.model_validate(sink))


def test_no_secret_is_rendered_but_references_to_the_two_files() -> None:
    rendered = f"{worker_properties(WORKER, SECURE)} {connector()}"
    assert KAFKA_PASSWORD not in rendered
    assert CLICKHOUSE_PASSWORD not in rendered
    assert connector()["password"] == "${file:/secrets/clickhouse.creds:CLICKHOUSE_PASSWORD}"
    assert "${file:/secrets/kafka_connect.creds:KAFKA_SASL_PASSWORD}" in rendered
    allowed = worker_properties(WORKER, SECURE)["config.providers.file.param.allowed.paths"]
    assert allowed == "/secrets/clickhouse.creds,/secrets/kafka_connect.creds"


def test_every_client_of_the_worker_logs_in() -> None:
    properties = worker_properties(WORKER, SECURE)
    for client in ("", "producer.", "consumer.", "admin."):
        assert properties[f"{client}security.protocol"] == "SASL_SSL"
        assert properties[f"{client}sasl.mechanism"] == "SCRAM-SHA-512"
        assert "ScramLoginModule" in str(properties[f"{client}sasl.jaas.config"])
        assert properties[f"{client}ssl.truststore.location"] == Path("/certs/ca.crt")
    plain = worker_properties(WORKER, KafkaSettings(security_protocol="PLAINTEXT"))
    assert plain["consumer.security.protocol"] == "PLAINTEXT"
    assert not [name for name in plain if "sasl" in name]


def test_the_workers_topics_are_replicated_as_kafka_is_and_named_as_its_rights_are() -> None:
    from broker.access import CONNECT_PREFIX

    properties = worker_properties(WORKER, SECURE)
    for topic in ("config", "offset", "status"):
        assert properties[f"{topic}.storage.replication.factor"] == 3
        assert str(properties[f"{topic}.storage.topic"]).startswith(CONNECT_PREFIX)
    assert str(properties["group.id"]).startswith(CONNECT_PREFIX)


def test_a_worker_without_plugins_says_so() -> None:
    with pytest.raises(ConfigurationError, match="CONNECT_PLUGIN_PATH"):
        worker_properties(ConnectSettings(), SECURE)


def test_events_go_to_the_table_with_their_origin() -> None:
    config = connector()
    assert config["topics"] == "user-interactions"
    assert config["topic2TableMap"] == "user-interactions=events"
    assert (config["hostname"], config["port"], config["ssl"]) == ("clickhouse", "8443", "true")
    migration = (PROJECT_ROOT / "clickhouse" / "migrations" / "0001_events.sql").read_text()
    for field in ("partition", "offset"):
        column = config[f"transforms.origin.{field}.field"]
        assert column.endswith("!"), "without the mark a missing field is passed over"
        assert f"{column[:-1]} UInt" in migration


def test_an_outage_pauses_and_only_what_cannot_be_read_is_dead_lettered() -> None:
    config = connector(health_port=9111)
    assert config["errors.deadletterqueue.topic.name"] == "clickpulse-connect-user-interactions-dead-letters"
    assert int(config["producer.override.max.request.size"]) > 10 * 1000**2, "a larger letter would be lost"
    assert config["errors.deadletterqueue.context.headers.enable"] == "true"
    assert config["errors.log.include.messages"] == "false"
    assert config["client_version"] == "V1", "V2 does not name a refused connection by a code that is retried"
    assert "bufferCount" not in config, "a retried flush would be buffered again"
    assert config["value.converter.apicurio.registry.url"] == "http://127.0.0.1:9111/apis/registry/v2"
    assert int(config["value.converter.apicurio.registry.retry-count"]) > 10**9


def test_the_connector_is_a_member_of_the_sinks_group() -> None:
    one = connector(group_id="sinks", instance_id="sink-1")
    assert one["consumer.override.group.id"] == "sinks"
    assert one["consumer.override.group.instance.id"] == "sink-1"
    many = connector_config(
        ConnectSettings(tasks_max=3), SECURE, CLICKHOUSE, SinkSettings(group_id="sinks", instance_id="sink-1")
    )
    assert many["tasks.max"] == "3"
    assert "consumer.override.group.instance.id" not in many, "tasks of one name would shut each other out"


def test_all_values_are_text() -> None:
    assert all(isinstance(value, str) for value in connector().values())


def test_the_registrys_own_api_follows_from_its_address() -> None:
    confluent = RegistrySettings(url="http://registry:8081/apis/ccompat/v7/")
    assert registry_url(WORKER, confluent) == "http://registry:8081/apis/registry/v2"
    other = RegistrySettings(url="http://registry:8081")
    with pytest.raises(ConfigurationError, match="CONNECT_REGISTRY_URL"):
        registry_url(WORKER, other)
    given = ConnectSettings(registry_url=AnyHttpUrl("http://elsewhere/apis/registry/v2/"))
    assert registry_url(given, other) == "http://elsewhere/apis/registry/v2"
