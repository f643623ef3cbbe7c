"""A node's `server.properties` and log configuration, from its settings."""

from __future__ import annotations

from pathlib import Path

from broker.settings import BrokerSettings
from clickpulse.kafka_login import jaas_line
from clickpulse.settings import KafkaSettings

LOGGING = Path(__file__).with_name("log4j2.yaml")
_CERTIFICATE_NAME = "kafka"
"""The common name in the nodes' certificate: controllers know each other by it."""


def server_properties(node: BrokerSettings, admin: KafkaSettings) -> dict[str, object]:
    """The node's configuration; `admin` is the user that nodes log in to each other with. Contains its password."""
    return _listeners(node) | _security(node, admin) | _storage(node)


def _listeners(node: BrokerSettings) -> dict[str, object]:
    return {
        "process.roles": "broker,controller",
        "node.id": node.node_id,
        "controller.quorum.voters": node.quorum,
        "controller.listener.names": "CONTROLLER",
        "listeners": f"CLIENT://{node.host}:{node.port},CONTROLLER://{node.host}:{node.controller_port}",
        "advertised.listeners": f"CLIENT://{node.advertised_host}:{node.port}",
        "listener.security.protocol.map": "CLIENT:SASL_SSL,CONTROLLER:SSL",
        "inter.broker.listener.name": "CLIENT",
    }


def _security(node: BrokerSettings, admin: KafkaSettings) -> dict[str, object]:
    name, password = admin.login()
    return {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": node.certificate,
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": node.ca,
        "ssl.enabled.protocols": "TLSv1.3,TLSv1.2",
        "listener.name.controller.ssl.client.auth": "required",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
        "listener.name.client.scram-sha-512.sasl.jaas.config": jaas_line(name, password),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "false",
        "super.users": f"User:{name};User:CN={_CERTIFICATE_NAME}",
    }


def _storage(node: BrokerSettings) -> dict[str, object]:
    majority = node.replicas // 2 + 1
    return {
        "log.dirs": node.data_dir,
        "auto.create.topics.enable": "false",
        "num.partitions": 1,
        "default.replication.factor": node.replicas,
        "offsets.topic.num.partitions": 3,
        "offsets.topic.replication.factor": node.replicas,
        "transaction.state.log.replication.factor": node.replicas,
        "transaction.state.log.min.isr": majority,
        "share.coordinator.state.topic.replication.factor": node.replicas,
        "share.coordinator.state.topic.min.isr": majority,
        "group.initial.rebalance.delay.ms": 0,
        "log.cleaner.dedupe.buffer.size": 16 * 1024**2,
    }
