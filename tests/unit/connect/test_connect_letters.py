"""Connect's dead letters are taken on in the common form: none is passed over, whatever fails in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from broker.access import CONNECT_PREFIX
from clickpulse.dead_letters import DeadLetter, connect_topic
from clickpulse.errors import TransientError
from connect.letters import ConnectLetters


@dataclass
class Raw:
    """A letter as Connect lays it."""

    number: int
    problem: KafkaError | None = None

    def error(self) -> KafkaError | None:
        return self.problem

    def value(self) -> bytes:
        return b"\0\0\0\0\7cut"

    def key(self) -> bytes:
        return b"user"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self.number

    def timestamp(self) -> tuple[int, int]:
        return (1, 1_700_000_000_123)

    def headers(self) -> list[tuple[str, bytes]]:
        texts = {"topic": "events", "partition": "4", "offset": str(100 + self.number), "stage": "VALUE_CONVERTER",
                 "exception.class.name": "org.apache.kafka.connect.errors.DataException"}  # fmt: skip
        context = [(f"__connect.errors.{name}", text.encode()) for name, text in texts.items()]
        return [("own", b"1"), ("dlq.attempt", b"2"), ("dlq.redriven_from", b"0/9"), *context]


@dataclass
class FakeConsumer:
    """Gives the polls one after the other; `committed` is what was polled before each commit."""

    polls: list[list[Raw]]
    given: int = 0
    committed: list[int] = field(default_factory=list)
    commit_fails: bool = False
    callbacks: dict[str, Any] = field(default_factory=dict)

    def subscribe(self, _topics: list[str], **callbacks: Any) -> None:
        self.callbacks = callbacks

    def consume(self, _count: int, _timeout: float) -> list[Raw]:
        polled = self.polls.pop(0) if self.polls else []
        self.given += sum(message.problem is None for message in polled)
        return polled

    def commit(self, *, asynchronous: bool) -> None:
        assert not asynchronous
        if self.commit_fails:
            raise KafkaException(KafkaError(KafkaError.REBALANCE_IN_PROGRESS))
        self.committed.append(self.given)


@dataclass
class FakeWriter:
    letters: list[DeadLetter] = field(default_factory=list)
    outages: int = 0

    def write(self, letters: Sequence[DeadLetter]) -> None:
        if self.outages:
            self.outages -= 1
            raise TransientError("dead-letter topic: timed out")
        self.letters += letters


def taking(polls: list[list[Raw]], **consumer: Any) -> tuple[ConnectLetters, FakeConsumer, FakeWriter]:
    fake, writer = FakeConsumer(polls, **consumer), FakeWriter()
    return ConnectLetters(fake, "raw", writer), fake, writer  # type: ignore[arg-type]


def offsets(writer: FakeWriter) -> list[int | None]:
    return [letter.offset for letter in writer.letters]


def test_a_letter_gets_the_common_headers_and_keeps_its_own() -> None:
    letters, consumer, writer = taking([[Raw(1)]])
    assert letters.look() == 1
    written = dict(writer.letters[0].kafka_headers(datetime(2026, 11, 22, tzinfo=UTC)))
    assert written == {
        "own": b"1",
        "dlq.attempt": b"2",
        "dlq.redriven_from": b"0/9",
        "dlq.topic": b"events",
        "dlq.partition": b"4",
        "dlq.offset": b"101",
        "dlq.timestamp": b"2026-11-22T00:00:00.000+00:00",
        "dlq.reason": b"DataException",
        "dlq.error_class": b"malformed-avro",
        "dlq.component": b"connect",
    }
    letter = writer.letters[0]
    assert (letter.key, letter.value, letter.timestamp_ms) == (b"user", b"\0\0\0\0\7cut", 1_700_000_000_123)
    assert consumer.committed == [1]


def test_nothing_is_committed_before_it_is_written_and_nothing_is_forgotten() -> None:
    letters, consumer, writer = taking([[Raw(1), Raw(2)], [Raw(3)]])
    writer.outages = 2
    for _ in range(2):
        with pytest.raises(TransientError):
            letters.look()
    assert consumer.committed == []
    assert letters.look() == 3
    assert offsets(writer) == [101, 102, 103]
    assert consumer.committed == [2, 3]


def test_letters_that_come_with_an_error_are_taken_on() -> None:
    away = Raw(0, KafkaError(KafkaError._ALL_BROKERS_DOWN))
    letters, _, writer = taking([[Raw(1), away], [away]])
    with pytest.raises(TransientError, match="does not give"):
        letters.look()
    assert offsets(writer) == [101]


def test_a_topic_that_is_not_there_yet_is_no_error() -> None:
    letters, _, _ = taking([[Raw(0, KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))]])
    assert letters.look() == 0


def test_a_commit_that_fails_is_no_reason_to_stop() -> None:
    letters, _, writer = taking([[Raw(1)], [Raw(2)]], commit_fails=True)
    assert letters.look() == 2
    assert offsets(writer) == [101, 102]


def test_what_another_worker_takes_on_is_left_to_it() -> None:
    letters, consumer, writer = taking([[Raw(1)]])
    writer.outages = 1
    with pytest.raises(TransientError):
        letters.look()
    consumer.callbacks["on_revoke"](consumer, [])
    assert letters.look() == 0
    assert writer.letters == []


def test_connects_user_has_the_rights_to_the_topic_and_its_group() -> None:
    assert connect_topic("user-interactions-dead-letters").startswith(CONNECT_PREFIX)
