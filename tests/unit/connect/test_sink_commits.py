"""Offsets reach the broker in the end, or are forgotten when the partitions are another's."""

from __future__ import annotations

from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from connect.sink.consumer import RETRY_SECONDS, Commits
from connect.sink.status import KAFKA, Status


class FakeConsumer:
    def __init__(self) -> None:
        self.sent: list[dict[int, int]] = []
        self.error: KafkaError | None = None

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> list[TopicPartition] | None:
        if self.error is not None:
            raise KafkaException(self.error)
        self.sent.append({offset.partition: offset.offset for offset in offsets})
        return None if asynchronous else offsets


class Setup:
    def __init__(self) -> None:
        self.now = 100.0
        self.status = Status(clock=lambda: self.now)
        self.status.assigned({0: 0, 1: 0})
        self.consumer: Any = FakeConsumer()
        self.commits = Commits("events", self.status, clock=lambda: self.now)

    def answer(self, ends: dict[int, int]) -> None:
        self.commits.answered(None, [TopicPartition("events", p, o) for p, o in ends.items()])

    def committed(self) -> list[int]:
        return [known["committed_offset"] for known in self.status.snapshot()["partitions"].values()]


def test_offsets_are_sent_at_once_and_count_when_answered() -> None:
    setup = Setup()
    setup.commits.add(setup.consumer, {0: 5, 1: 7})
    assert setup.consumer.sent == [{0: 5, 1: 7}]
    assert setup.committed() == [0, 0]
    setup.answer({0: 5, 1: 7})
    assert setup.committed() == [5, 7]
    setup.commits.tick(setup.consumer)
    assert len(setup.consumer.sent) == 1


def test_one_commit_is_under_way_at_a_time() -> None:
    setup = Setup()
    setup.commits.add(setup.consumer, {0: 5})
    setup.commits.add(setup.consumer, {0: 9, 1: 2})
    assert setup.consumer.sent == [{0: 5}]
    setup.answer({0: 5})
    setup.commits.tick(setup.consumer)
    assert setup.consumer.sent[1:] == [{0: 9, 1: 2}]


def test_a_failure_is_tried_again_after_a_while() -> None:
    setup = Setup()
    setup.commits.add(setup.consumer, {0: 5})
    setup.commits.answered(KafkaError(KafkaError.NOT_COORDINATOR), [])
    assert setup.status.is_paused(KAFKA)
    setup.commits.tick(setup.consumer)
    assert len(setup.consumer.sent) == 1
    setup.now += RETRY_SECONDS
    setup.commits.tick(setup.consumer)
    assert setup.consumer.sent == [{0: 5}, {0: 5}]


def test_offsets_of_lost_partitions_are_forgotten() -> None:
    setup = Setup()
    setup.commits.add(setup.consumer, {0: 5})
    setup.commits.answered(KafkaError(KafkaError.ILLEGAL_GENERATION), [])
    setup.now += 10
    setup.commits.tick(setup.consumer)
    assert setup.consumer.sent == [{0: 5}]
    assert not setup.status.is_paused(KAFKA)


def test_flush_waits_for_the_answer() -> None:
    setup = Setup()
    setup.commits.add(setup.consumer, {0: 5})
    setup.commits.flush(setup.consumer)
    assert setup.committed() == [5, 0]
    setup.commits.flush(setup.consumer)
    assert setup.consumer.sent == [{0: 5}, {0: 5}]


def test_flush_survives_a_broker_that_is_gone() -> None:
    setup = Setup()
    setup.consumer.error = KafkaError(KafkaError._TRANSPORT)
    setup.commits.add(setup.consumer, {0: 5})
    setup.commits.flush(setup.consumer)
    assert setup.committed() == [0, 0]
