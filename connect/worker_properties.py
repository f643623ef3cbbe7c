"""The worker's `worker.properties`, from its settings. No secret is in it."""

from __future__ import annotations

from clickpulse.errors import ConfigurationError
from clickpulse.kafka_login import jaas_line
from clickpulse.settings import ConnectSettings, KafkaSettings
from connect import secret_files

_BYTES = "org.apache.kafka.connect.converters.ByteArrayConverter"
_CLIENTS = ("", "producer.", "consumer.", "admin.")
"""The worker's own clients, and those that it makes for connectors: dead letters, reading, topics."""


def worker_properties(connect: ConnectSettings, kafka: KafkaSettings) -> dict[str, object]:
    """A distributed worker.

    Raises:
        ConfigurationError: there is no plugin path.
    """
    if connect.plugin_path is None:
        raise ConfigurationError("CONNECT_PLUGIN_PATH: a worker needs the folder with its plugins")
    security = _security(kafka)
    return {
        "bootstrap.servers": kafka.bootstrap_servers,
        **{f"{client}{name}": value for client in _CLIENTS for name, value in security.items()},
        **secret_files.provider_properties(),
        **_group(connect, kafka),
        "listeners": f"http://{connect.host}:{connect.port}",
        "rest.advertised.host.name": connect.advertised_host,
        "rest.advertised.port": connect.port,
        "plugin.path": connect.plugin_path,
        "plugin.discovery": "service_load",
        "key.converter": _BYTES,
        "value.converter": _BYTES,
        "offset.flush.interval.ms": connect.commit_ms,
        "connector.client.config.override.policy": "All",
    }


def _group(connect: ConnectSettings, kafka: KafkaSettings) -> dict[str, object]:
    return {
        "group.id": connect.group_id,
        "config.storage.topic": connect.config_topic,
        "offset.storage.topic": connect.offset_topic,
        "status.storage.topic": connect.status_topic,
        # A sink keeps its offsets in its group; these topics hold next to nothing.
        "offset.storage.partitions": 1,
        "status.storage.partitions": 1,
        **{f"{topic}.storage.replication.factor": kafka.replication_factor for topic in ("config", "offset", "status")},
        # A worker that was killed is missed after this, and its tasks are given to others a little later.
        "session.timeout.ms": 10_000,
        "heartbeat.interval.ms": 3_000,
        "scheduled.rebalance.max.delay.ms": 10_000,
    }


def _security(kafka: KafkaSettings) -> dict[str, object]:
    if kafka.security_protocol == "PLAINTEXT":
        return {"security.protocol": "PLAINTEXT"}
    name, password = (
        secret_files.reference(secret_files.KAFKA, variable)
        for variable in ("KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD")
    )
    return {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.jaas.config": jaas_line(name, password),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": kafka.ssl_ca_location,
    }
