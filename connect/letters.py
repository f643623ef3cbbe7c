"""What Kafka Connect sets aside, brought into the dead-letter topic in the form that all parts have in common.

Connect describes a dead letter in headers of its own, and no setting changes that: it writes to a topic of its own, and
the worker's process takes the letters on from there. At least once: the place in that topic is committed after the
letters are acknowledged, and a letter that is written twice names the same message.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException

from clickpulse.clients import kafka_consumer
from clickpulse.dead_letters import DeadLetter, connect_topic, dead_letter_writer
from clickpulse.dlq.letters import Message, parse_letter
from clickpulse.errors import TransientError
from clickpulse.settings import KafkaSettings

_MESSAGES = 500
_POLL_SECONDS = 0.05
_WRITE_SECONDS = 5.0
"""The worker's watch waits meanwhile."""
_ROUNDS = 20
"""Of a look at a long queue; the next look goes on."""
log = structlog.get_logger()


class Writer(Protocol):
    """See `DeadLetterWriter`."""

    def write(self, letters: Sequence[DeadLetter]) -> None: ...


class ConnectLetters:
    """Takes letters on. Used by one thread.

    Args:
        consumer: of the letters' topic, in a group of its own; not subscribed yet.
        topic: where Connect lays them.
        writer: to the dead-letter topic.
    """

    def __init__(self, consumer: Consumer, topic: str, writer: Writer) -> None:
        self._consumer = consumer
        self._writer = writer
        self._left: list[Any] = []
        # Only what is assigned is taken: another worker may have taken on what was left here.
        consumer.subscribe([topic], on_revoke=self._on_revoke, on_lost=self._on_revoke)

    def look(self) -> int:
        """Take on what is there; how many letters that were.

        Raises:
            TransientError: Kafka does not answer; the next look tries again.
        """
        taken = 0
        for _ in range(_ROUNDS):
            if not self._left:
                self._left = self._polled()
            if not self._left:
                break
            self._writer.write([common_letter(message) for message in self._left])
            self._commit()
            taken += len(self._left)
            self._left = []
        if taken:
            log.warning("dead-lettered", messages=taken, by="connect")
        return taken

    def close(self) -> None:
        self._consumer.close()

    def _polled(self) -> list[Any]:
        polled = self._consumer.consume(_MESSAGES, _POLL_SECONDS)
        messages = [message for message in polled if message.error() is None]
        errors = [message.error() for message in polled if message.error() is not None]
        # Connect makes the topic when it starts, where nobody did before.
        problems = [error for error in errors if error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART]
        if problems and not messages:  # what came with an error must not be passed over
            raise TransientError(f"Kafka does not give Connect's dead letters: {problems[0].str()}")
        return messages

    def _commit(self) -> None:
        try:
            self._consumer.commit(asynchronous=False)
        except KafkaException as error:
            # They are written; at worst they are written once more, which their readers tell.
            log.warning("not committed", reason=error.args[0].str())

    def _on_revoke(self, _consumer: Any, _partitions: Any) -> None:
        self._left = []


def connect_letters(kafka: KafkaSettings) -> ConnectLetters:
    """For the settings' dead-letter topic, as a user with Connect's rights."""
    topic = connect_topic(kafka.dead_letter_topic)
    consumer = kafka_consumer(
        kafka, group_id=topic, auto_offset_reset="earliest", topic_metadata_refresh_interval_ms=5000
    )
    return ConnectLetters(consumer, topic, dead_letter_writer(kafka, timeout_seconds=_WRITE_SECONDS))


def common_letter(message: Message) -> DeadLetter:
    """Connect's letter in the common form."""
    letter = parse_letter(message)
    origin = letter.origin or (None, None)
    headers = tuple((name, value) for name, value in message.headers() or () if not name.startswith("__connect."))
    return DeadLetter(
        topic=letter.topic,
        partition=origin[0],
        offset=origin[1],
        timestamp_ms=letter.timestamp_ms,
        key=letter.key,
        value=letter.value,
        headers=headers,
        reason=letter.reason,
        error_class=letter.error_class,
        component=letter.component,
    )
