"""Dead letters: the headers of the contract, and that a write returns only when all are acknowledged."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from clickpulse.dead_letters import MAX_REASON_LENGTH, DeadLetter, DeadLetterWriter
from clickpulse.errors import TransientError

LETTER = DeadLetter(
    topic="events", partition=2, offset=7, timestamp_ms=1_700_000_000_123, key=b"k", value=b"v", headers=(("a", b"1"),),
    reason="no magic byte", error_class="not-wire-format", component="sink",
)  # fmt: skip


class FakeProducer:
    """Acknowledges on `poll`, as `answer` says."""

    def __init__(self, answer: Callable[[int], KafkaError | None] | None) -> None:
        self.answer = answer
        self.produced: list[dict[str, Any]] = []
        self.purged = False
        self._waiting: list[Any] = []

    def produce(self, topic: str, *, on_delivery: Any, **message: Any) -> None:
        self.produced.append({"topic": topic, **message})
        self._waiting.append(on_delivery)

    def poll(self, _timeout: float) -> None:
        if self.answer is not None:
            for number, callback in enumerate(self._waiting):
                callback(self.answer(number), None)
            self._waiting = []

    def purge(self) -> None:
        self.purged = True

    def flush(self, _timeout: float) -> None: ...


def write(producer: FakeProducer, letters: int, timeout: float = 5) -> None:
    DeadLetterWriter(producer, "dead", timeout_seconds=timeout).write([LETTER] * letters)  # type: ignore[arg-type]


def test_headers_follow_the_original_ones() -> None:
    now = datetime(2026, 11, 22, 10, 5, 0, 250_000, tzinfo=UTC)
    assert LETTER.kafka_headers(now) == [
        ("a", b"1"),
        ("dlq.topic", b"events"),
        ("dlq.partition", b"2"),
        ("dlq.offset", b"7"),
        ("dlq.timestamp", b"2026-11-22T10:05:00.250+00:00"),
        ("dlq.reason", b"no magic byte"),
        ("dlq.error_class", b"not-wire-format"),
        ("dlq.component", b"sink"),
    ]


def test_a_message_that_never_was_in_a_topic_has_no_place() -> None:
    letter = DeadLetter("events", None, b"v", "x" * 5000, "too-large", "producer")
    headers = dict(letter.kafka_headers(datetime.now(UTC)))
    assert "dlq.partition" not in headers
    assert "dlq.offset" not in headers
    assert len(headers["dlq.reason"] or b"") == MAX_REASON_LENGTH


def test_returns_when_all_are_acknowledged() -> None:
    producer = FakeProducer(lambda _: None)
    write(producer, 3)
    assert len(producer.produced) == 3
    first = producer.produced[0]
    assert (first["topic"], first["key"], first["value"], first["timestamp"]) == ("dead", b"k", b"v", 1_700_000_000_123)


def test_one_that_fails_fails_the_call() -> None:
    producer = FakeProducer(lambda number: KafkaError(KafkaError._MSG_TIMED_OUT) if number == 1 else None)
    with pytest.raises(TransientError, match="1 of 3 not written"):
        write(producer, 3)
    assert producer.purged


def test_no_answer_fails_the_call() -> None:
    with pytest.raises(TransientError, match=r"3 of 3 not written: no acknowledgement within 0\.01 s"):
        write(FakeProducer(None), 3, timeout=0.01)


def test_a_refused_message_is_said_so() -> None:
    producer = FakeProducer(lambda _: None)

    def refuse(*_: Any, **__: Any) -> None:
        raise KafkaException(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))

    producer.produce = refuse  # type: ignore[method-assign]
    with pytest.raises(TransientError, match=r"dead-letter topic dead: .*too large"):
        write(producer, 1)
