"""Reading a topic up to a place: every message once, in whatever pieces the driver hands them out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from hypothesis import given, settings
from hypothesis import strategies as st

from clickpulse.accounting import kafka
from clickpulse.errors import TransientError
from clickpulse.settings import KafkaSettings


class Message:
    """A message, or the news that a partition ends."""

    def __init__(self, partition: int, offset: int, code: int | None = None) -> None:
        self._place = partition, offset
        self._error = None if code is None else KafkaError(code)

    def partition(self) -> int:
        return self._place[0]

    def offset(self) -> int:
        return self._place[1]

    def error(self) -> KafkaError | None:
        return self._error


class Consumer:
    """Hands out what it was given, in pieces."""

    def __init__(self, pieces: list[list[Message]]) -> None:
        self._pieces: Iterator[list[Message]] = iter(pieces)
        self.asked: list[int] = []

    def assign(self, _: Any) -> None: ...
    def unassign(self) -> None: ...
    def pause(self, _: Any) -> None: ...

    def consume(self, count: int, _: float) -> list[Message]:
        self.asked.append(count)
        return next(self._pieces, [])


def reader(monkeypatch: Any, pieces: list[list[Message]]) -> kafka.TopicReader:
    monkeypatch.setattr(kafka, "Message", Message)
    monkeypatch.setattr(kafka, "kafka_consumer", lambda *_, **__: Consumer(pieces))
    monkeypatch.setattr(kafka, "SILENCE_SECONDS", 0.05)
    return kafka.TopicReader(KafkaSettings(ssl_ca_location=Path()), "events")


def places(chunks: Any) -> list[tuple[int, int]]:
    return [place for chunk in chunks for place in zip(chunk.partition.tolist(), chunk.offset.tolist(), strict=True)]


END = KafkaError._PARTITION_EOF


def test_the_end_of_a_partition_may_come_together_with_its_last_messages(monkeypatch):
    pieces = [[Message(0, 0), Message(0, 1), Message(0, 2, END), Message(1, 5), Message(1, 6, END)]]

    assert places(reader(monkeypatch, pieces).read({0: (0, 2), 1: (5, 6)})) == [(0, 0), (0, 1), (1, 5)]


def test_a_gap_before_the_end_does_not_keep_it_waiting(monkeypatch):
    pieces = [[Message(0, 0)], [Message(0, 4, END)]]

    assert places(reader(monkeypatch, pieces).read({0: (0, 4)})) == [(0, 0)]


def test_what_came_after_the_look_is_left_out(monkeypatch):
    pieces = [[Message(0, 0), Message(0, 1), Message(0, 2)], [Message(0, 3), Message(1, 0)]]

    assert places(reader(monkeypatch, pieces).read({0: (0, 2), 1: (0, 1)})) == [(0, 0), (0, 1), (1, 0)]


def test_a_kafka_that_falls_silent_is_an_error_and_not_an_end(monkeypatch):
    found = reader(monkeypatch, [[Message(0, 0)]])

    with pytest.raises(TransientError, match="no message of events"):
        places(found.read({0: (0, 2)}))


def test_an_error_of_the_driver_is_an_error(monkeypatch):
    found = reader(monkeypatch, [[Message(0, 0), Message(0, 1, KafkaError._AUTO_OFFSET_RESET)]])

    with pytest.raises(TransientError, match="does not answer"):
        places(found.read({0: (0, 9)}))


def test_nothing_to_read_asks_for_nothing(monkeypatch):
    assert places(reader(monkeypatch, []).read({0: (3, 3)})) == []


@settings(deadline=None)
@given(st.dictionaries(st.integers(0, 3), st.integers(0, 30)), st.randoms(use_true_random=False))
def test_every_message_comes_once_whatever_the_pieces(sizes, random):
    queues = {
        partition: [*(Message(partition, offset) for offset in range(size + random.randint(0, 2)))]
        for partition, size in sizes.items()
    }
    pieces = []
    while any(queues.values()):
        piece = []
        for queue in queues.values():
            taken = random.randint(0, 7)
            piece += queue[:taken]
            del queue[:taken]
        pieces.append(piece)
    steps: list[tuple[int, int]] = []

    with pytest.MonkeyPatch.context() as patch:
        chunks = list(
            reader(patch, pieces).read(
                {partition: (0, size) for partition, size in sizes.items()},
                lambda done, total: steps.append((done, total)),
            )
        )

    assert sorted(places(chunks)) == [(p, offset) for p, size in sorted(sizes.items()) for offset in range(size)]
    total = sum(sizes.values())
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)
    assert not steps or steps[-1] == (total, total)


def test_kafkas_refusals_are_told_from_its_absence(monkeypatch):
    found = reader(monkeypatch, [])

    assert "does not answer" in str(found._away(KafkaException(KafkaError(KafkaError._TRANSPORT))))
    assert "broker.setup" in str(found._away(KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))))
