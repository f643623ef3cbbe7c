"""The topics and their configuration.

Events and dead letters are kept by size, not by age: a message's Kafka timestamp is when the event happened, and a
replay of last year's clicks would be deleted at once by a limit on age. So is what Kafka Connect sets aside, on its way
to the dead letters. Which letters were sent again is remembered for good, once for each letter.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import stamina
import structlog
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic

from clickpulse.clients import kafka_admin
from clickpulse.dead_letters import DEAD_LETTER_MAX_BYTES, connect_topic, redriven_topic
from clickpulse.errors import ConfigurationError, TransientError
from clickpulse.settings import KafkaSettings

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

log = structlog.get_logger()

DEAD_LETTER_PARTITIONS = 1
_ANSWER_SECONDS = 10
_WITHOUT_LIMIT = 2**63 - 1


@dataclass(frozen=True)
class Topic:
    name: str
    partitions: int
    config: dict[str, str]


def wanted_topics(settings: KafkaSettings) -> list[Topic]:
    """The topics of the events, of the dead letters, and of which letters were sent again."""
    safe = {
        "message.timestamp.type": "CreateTime",
        "min.insync.replicas": str(max(1, settings.replication_factor - 1)),
    }
    kept = safe | {
        "cleanup.policy": "delete",
        "retention.ms": "-1",
        "retention.bytes": str(settings.retention_bytes),
    }
    letters = kept | {
        "max.message.bytes": str(DEAD_LETTER_MAX_BYTES),
        # A letter has its message's time, which may be what was wrong with it.
        "message.timestamp.after.max.ms": str(_WITHOUT_LIMIT),
    }
    return [
        Topic(settings.topic, settings.partitions, kept),
        Topic(settings.dead_letter_topic, DEAD_LETTER_PARTITIONS, letters),
        Topic(connect_topic(settings.dead_letter_topic), DEAD_LETTER_PARTITIONS, letters),
        Topic(redriven_topic(settings.dead_letter_topic), 1, safe | {"cleanup.policy": "compact"}),
    ]


def ensure_topics(settings: KafkaSettings, *, timeout_seconds: float) -> None:
    """Create the topics that are missing and check the partitions of those that exist.

    Raises:
        ConfigurationError: the events' topic has another number of partitions, or the broker refuses to create it.
        TransientError: the broker did not answer in `timeout_seconds`.
    """
    admin = kafka_admin(settings)
    for attempt in _attempts(timeout_seconds):
        with attempt:
            partitions = _existing(admin, settings)
            for topic in wanted_topics(settings):
                if topic.name not in partitions:
                    _create(admin, topic, settings)
                    continue
                if topic.name == settings.topic and partitions[topic.name] != topic.partitions:
                    raise ConfigurationError(
                        f"topic {topic.name} has {partitions[topic.name]} partitions and KAFKA_PARTITIONS is "
                        f"{topic.partitions}: set KAFKA_PARTITIONS={partitions[topic.name]}, or use another KAFKA_TOPIC"
                    )
                _align(admin, topic)
    _wait_until_visible(admin, settings, timeout_seconds)


def require_topic(settings: KafkaSettings, *, timeout_seconds: float) -> None:
    """Check that the events' topic is there, for those who use it and may not create it.

    Raises:
        ConfigurationError: it does not exist, or the user may not see it.
        TransientError: the broker did not answer in `timeout_seconds`.
    """
    admin = kafka_admin(settings)
    for attempt in _attempts(timeout_seconds):
        with attempt:
            partitions = _existing(admin, settings)
    if settings.topic not in partitions:
        raise ConfigurationError(
            f"user {settings.sasl_username} sees no topic {settings.topic}: `python -m broker.setup` makes the topics "
            "and says who may use them; or set KAFKA_TOPIC to one that exists"
        )


def _attempts(timeout_seconds: float) -> Iterable[stamina.Attempt]:
    return stamina.retry_context(on=TransientError, attempts=None, timeout=timeout_seconds, wait_max=2)


def _wait_until_visible(admin: AdminClient, settings: KafkaSettings, timeout_seconds: float) -> None:
    """A broker learns a moment after its controller's answer of a topic that was made."""
    for attempt in _attempts(timeout_seconds):
        with attempt:
            partitions = _existing(admin, settings)
            if missing := [topic.name for topic in wanted_topics(settings) if topic.name not in partitions]:
                raise TransientError(f"Kafka does not show {', '.join(missing)} yet, which were created")


def _existing(admin: AdminClient, settings: KafkaSettings) -> dict[str, int]:
    try:
        topics = admin.list_topics(timeout=_ANSWER_SECONDS).topics
    except KafkaException as error:
        raise TransientError(
            f"Kafka {settings.bootstrap_servers} does not answer ({error.args[0].str()}): "
            f"start it, or set KAFKA_BOOTSTRAP_SERVERS"
        ) from error
    return {name: len(topic.partitions) for name, topic in topics.items() if topic.error is None}


def _align(admin: AdminClient, topic: Topic) -> None:
    """Bring an existing topic's configuration to what the settings say now."""
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic.name)
    try:
        current = admin.describe_configs([resource])[resource].result(timeout=_ANSWER_SECONDS)
        changed = {name: value for name, value in topic.config.items() if current[name].value != value}
        if not changed:
            return
        entries = [
            ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in changed.items()
        ]
        wanted = ConfigResource(ConfigResource.Type.TOPIC, topic.name, incremental_configs=entries)
        admin.incremental_alter_configs([wanted])[wanted].result(timeout=_ANSWER_SECONDS)
    except KafkaException as error:
        _explain(f"configuration of topic {topic.name}", error)
    log.info("topic_configured", topic=topic.name, changed=changed)


def _create(admin: AdminClient, topic: Topic, settings: KafkaSettings) -> None:
    new = NewTopic(
        topic.name,
        num_partitions=topic.partitions,
        replication_factor=settings.replication_factor,
        config=topic.config,
    )
    try:
        admin.create_topics([new], operation_timeout=_ANSWER_SECONDS)[topic.name].result(timeout=2 * _ANSWER_SECONDS)
    except KafkaException as error:
        if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return  # another process was quicker
        _explain(f"creation of topic {topic.name}", error)
    log.info("topic_created", topic=topic.name, partitions=topic.partitions, config=topic.config)


def _explain(what: str, error: KafkaException) -> NoReturn:
    problem = error.args[0]
    message = f"{what} failed: {problem.str()}"
    if problem.retriable() or problem.code() in {KafkaError._TIMED_OUT, KafkaError._TRANSPORT}:  # noqa: SLF001
        raise TransientError(message) from error
    raise ConfigurationError(f"{message}; check KAFKA_REPLICATION_FACTOR and the user's rights") from error
