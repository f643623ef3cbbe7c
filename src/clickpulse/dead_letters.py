"""Dead letters: what is kept of a message that can't be used, and how it is written.

The dead-letter topic holds the original key, value, timestamp and headers, and these headers besides:

| header | value |
|---|---|
| `dlq.topic` | topic the message was in, or was meant for |
| `dlq.partition`, `dlq.offset` | where it was, decimal; absent when it never reached a topic |
| `dlq.timestamp` | when it was set aside, ISO 8601 in UTC |
| `dlq.reason` | for people, at most `MAX_REASON_LENGTH` characters |
| `dlq.error_class` | a short stable word to group by, such as `malformed-avro` |
| `dlq.component` | who set it aside: `sink`, `producer`, … |

Kafka Connect (SINK=connect) writes to the same topic, and describes the origin in its own headers instead, all text:
`__connect.errors.topic`, `….partition`, `….offset`, `….stage` (`VALUE_CONVERTER`: unreadable, `TRANSFORMATION`: without
a value, `TASK_PUT`: refused by ClickHouse or the connector, with all of its insert), `….exception.class.name`,
`….exception.message` and `….exception.stacktrace`.

A message can be dead-lettered twice if its reader is killed in between: topic, partition and offset identify it.
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

TOPIC = "dlq.topic"
PARTITION = "dlq.partition"
OFFSET = "dlq.offset"
TIMESTAMP = "dlq.timestamp"
REASON = "dlq.reason"
ERROR_CLASS = "dlq.error_class"
COMPONENT = "dlq.component"

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

    def kafka_headers(self, now: datetime) -> list[tuple[str, bytes | None]]:
        """The original headers followed by those of the contract; `now` is aware."""
        added: list[tuple[str, bytes | None]] = [(TOPIC, self.topic.encode())]
        if self.partition is not None and self.offset is not None:
            added += [(PARTITION, b"%d" % self.partition), (OFFSET, b"%d" % self.offset)]
        added += [
            (TIMESTAMP, now.astimezone(UTC).isoformat(timespec="milliseconds").encode()),
            (REASON, self.reason[:MAX_REASON_LENGTH].encode("utf-8", "backslashreplace")),
            (ERROR_CLASS, self.error_class.encode()),
            (COMPONENT, self.component.encode()),
        ]
        return [*self.headers, *added]


class DeadLetterWriter:
    """Writes dead letters and returns only when the broker has all of them.

    Args:
        producer: idempotent, with `acks=all`, used by nothing else.
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
                    value=letter.value,
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
