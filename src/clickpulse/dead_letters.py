"""Dead letters: what is kept of a message that can't be used, and how it is written.

The dead-letter topic holds the original key, value, timestamp and headers, and these headers besides:

| header | value |
|---|---|
| `dlq.topic` | topic the message was in, or was meant for |
| `dlq.partition`, `dlq.offset` | where it was, decimal; absent when it never reached a topic |
| `dlq.timestamp` | when it was set aside, ISO 8601 in UTC |
| `dlq.reason` | for people, at most `MAX_REASON_LENGTH` characters |
| `dlq.error_class` | a short stable word to group by, such as `malformed-avro` |
| `dlq.component` | who set it aside: `sink`, `producer`, `connect` |
| `dlq.content_type` | only where the value is not the original bytes: `application/json` of an event never serialized |
| `dlq.original_bytes` | only where the value was cut to fit into the topic: how long it was |

A message can be dead-lettered twice if its reader is killed in between: topic, partition and offset identify it.

A letter that was sent to its topic again (`clickpulse dlq redrive`) carries `dlq.redriven_from`, the letter's own
`<partition>/<offset>`, and `dlq.attempt`, 1 for the first time. Both stay with it if it is dead-lettered again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from clickpulse.errors import TransientError

if TYPE_CHECKING:
    from confluent_kafka import Producer

    from clickpulse.settings import KafkaSettings

TOPIC = "dlq.topic"
PARTITION = "dlq.partition"
OFFSET = "dlq.offset"
TIMESTAMP = "dlq.timestamp"
REASON = "dlq.reason"
ERROR_CLASS = "dlq.error_class"
COMPONENT = "dlq.component"
CONTENT_TYPE = "dlq.content_type"
ORIGINAL_BYTES = "dlq.original_bytes"
REDRIVEN_FROM = "dlq.redriven_from"
ATTEMPT = "dlq.attempt"

JSON_TYPE = "application/json"


def redriven_topic(dead_letter_topic: str) -> str:
    """The compacted topic that remembers which letters were sent again."""
    return f"{dead_letter_topic}-redriven"


def connect_topic(dead_letter_topic: str) -> str:
    """Where Kafka Connect lays its own form of dead letters, until the worker's process has brought them into this one.

    The beginning of the name is what Connect's user has rights to.
    """
    return f"clickpulse-connect-{dead_letter_topic}"


DEAD_LETTER_MAX_BYTES = 10 * 1024**2
"""The topic's limit: larger than any event that the other topic takes, as too large events end up here."""

MAX_VALUE_BYTES = DEAD_LETTER_MAX_BYTES - 64 * 1024
"""Of a longer value the start is kept; leaves room for key, headers and framing."""

MAX_REASON_LENGTH = 1000
"""Characters: a reason must not make the message too large for its topic."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message that can't be used, with the reason.

    `timestamp_ms` is the original message's (milliseconds since the epoch); the dead letter gets the same.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    reason: str
    error_class: str
    component: str
    partition: int | None = None
    offset: int | None = None
    timestamp_ms: int | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    content_type: str | None = None

    @property
    def kept(self) -> bytes | None:
        """The value as it is written: all of it, unless that is too large even for the dead-letter topic."""
        return None if self.value is None else self.value[:MAX_VALUE_BYTES]

    def kafka_headers(self, now: datetime) -> list[tuple[str, bytes | None]]:
        """The original headers followed by those of the contract; `now` is aware."""
        reason, size = self.reason[:MAX_REASON_LENGTH], len(self.value or b"")
        cut = size > MAX_VALUE_BYTES
        if cut:
            reason += f"; the first {MAX_VALUE_BYTES} of its {size} bytes are kept"
        added: list[tuple[str, bytes | None]] = [(TOPIC, self.topic.encode())]
        if self.partition is not None and self.offset is not None:
            added += [(PARTITION, b"%d" % self.partition), (OFFSET, b"%d" % self.offset)]
        added += [
            (TIMESTAMP, now.astimezone(UTC).isoformat(timespec="milliseconds").encode()),
            (REASON, reason.encode("utf-8", "backslashreplace")),
            (ERROR_CLASS, self.error_class.encode()),
            (COMPONENT, self.component.encode()),
        ]
        if self.content_type is not None:
            added.append((CONTENT_TYPE, self.content_type.encode()))
        if cut:
            added.append((ORIGINAL_BYTES, b"%d" % size))
        return [*self.headers, *added]


def dead_letter_writer(settings: KafkaSettings, *, timeout_seconds: float = 30) -> DeadLetterWriter:
    """A writer to the settings' dead-letter topic, with a producer of its own."""
    from clickpulse.clients import kafka_producer

    # The driver's own limit is below what the events' topic takes: such a message could never be set aside.
    producer = kafka_producer(
        settings, enable_idempotence=True, acks="all", linger_ms=0, message_max_bytes=DEAD_LETTER_MAX_BYTES
    )
    return DeadLetterWriter(producer, settings.dead_letter_topic, timeout_seconds=timeout_seconds)


class DeadLetterWriter:
    """Writes dead letters and returns only when the broker has all of them.

    Args:
        producer: idempotent, with `acks=all` and `message.max.bytes` at `DEAD_LETTER_MAX_BYTES`, used by nothing else.
        topic: the dead-letter topic.
        timeout_seconds: for all letters of one call together.
    """

    def __init__(self, producer: Producer, topic: str, *, timeout_seconds: float = 30) -> None:
        self._producer = producer
        self._topic = topic
        self._timeout = timeout_seconds

    def write(self, letters: Sequence[DeadLetter]) -> None:
        """Raise `TransientError` unless every letter was acknowledged; a repeated call writes all of them again."""
        delivery = _Delivery()
        now = datetime.now(UTC)
        deadline = time.monotonic() + self._timeout
        for letter in letters:
            self._produce(letter, now, delivery, deadline)
        while delivery.acknowledged < len(letters) and not delivery.error and time.monotonic() < deadline:
            self._producer.poll(0.1)
        if delivery.acknowledged < len(letters):
            self._producer.purge()
            self._producer.flush(1)
            cause = delivery.error or f"no acknowledgement within {self._timeout} s"
            missing = len(letters) - delivery.acknowledged
            raise TransientError(f"dead-letter topic {self._topic}: {missing} of {len(letters)} not written: {cause}")

    def _produce(self, letter: DeadLetter, now: datetime, delivery: _Delivery, deadline: float) -> None:
        from confluent_kafka import KafkaException

        extra: dict[str, Any] = {} if letter.timestamp_ms is None else {"timestamp": letter.timestamp_ms}
        while time.monotonic() < deadline and not delivery.error:
            try:
                self._producer.produce(
                    self._topic,
                    key=letter.key,
                    value=letter.kept,
                    headers=letter.kafka_headers(now),
                    on_delivery=delivery.report,
                    **extra,
                )
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                raise TransientError(f"dead-letter topic {self._topic}: {error}") from error
            else:
                return


class _Delivery:
    """Counts the callbacks of one `write`; librdkafka may call from another thread than the writer's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.acknowledged = 0
        self.error = ""

    def report(self, error: object, _message: object) -> None:
        with self._lock:
            if error is None:
                self.acknowledged += 1
            else:
                self.error = str(error)
