"""Kafka in memory: topics of partitions of messages, read and written as the redrive does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from clickpulse.dlq.catalog import Catalog
from clickpulse.dlq.letters import parse_letter
from clickpulse.dlq.markers import read_markers
from clickpulse.dlq.sending import Outgoing, Sent

EVENTS, LETTERS, MARKERS = "events", "dead", "dead-redriven"
NOW_MS = 1_700_000_000_000


@dataclass(frozen=True)
class StoredMessage:
    place: tuple[int, int]
    body: bytes | None
    name: bytes | None = b"user"
    lines: tuple[tuple[str, bytes | None], ...] = ()
    sent: int = NOW_MS

    def value(self) -> bytes | None:
        return self.body

    def key(self) -> bytes | None:
        return self.name

    def partition(self) -> int:
        return self.place[0]

    def offset(self) -> int:
        return self.place[1]

    def timestamp(self) -> tuple[int, int]:
        return (1, self.sent)

    def headers(self) -> list[tuple[str, bytes | None]]:
        return list(self.lines)


def letter_headers(
    offset: int | None, error_class: str = "malformed-avro", component: str = "sink", **more: str
) -> tuple[tuple[str, bytes], ...]:
    """Headers as the contract has them, written out; `more` are further ones of `dlq.`."""
    place = {} if offset is None else {"partition": "2", "offset": str(offset)}
    texts = {
        "topic": EVENTS,
        **place,
        "timestamp": "2026-11-22T10:05:00.250+00:00",
        "reason": f"reason of {offset}",
        "error_class": error_class,
        "component": component,
        **more,
    }
    return tuple((f"dlq.{name}", text.encode()) for name, text in texts.items())


class CrashError(Exception):
    """The process ended here."""


@dataclass
class Cluster:
    """Topics by name; one partition each but for the events', which have two. `crash_at` counts calls of `send`."""

    topics: dict[str, list[list[StoredMessage]]] = field(
        default_factory=lambda: {EVENTS: [[], []], LETTERS: [[]], MARKERS: [[]]}
    )
    lows: dict[str, int] = field(default_factory=dict)
    calls: int = 0
    crash_at: int | None = None
    crash_after_writing: bool = False
    answers: Callable[[Outgoing], Sent | None] = lambda _: None

    def add(self, topic: str, message: Outgoing) -> tuple[int, int]:
        partitions = self.topics[topic]
        number = sum(message.key or b"") % len(partitions)
        place = (number, len(partitions[number]))
        stamp = NOW_MS if message.timestamp_ms is None else message.timestamp_ms
        partitions[number].append(StoredMessage(place, message.value, message.key, message.headers, stamp))
        return place

    def letter(self, offset: int | None, *, body: bytes | None = b"bytes", sent: int = NOW_MS, **headers: str) -> None:
        """Lay a letter down, of the message at this offset of the events' topic."""
        self.add(LETTERS, Outgoing(LETTERS, b"user", body, sent, (("own", b"1"), *letter_headers(offset, **headers))))

    def bounds(self, topic: str) -> dict[int, tuple[int, int]]:
        low = self.lows.get(topic, 0)
        return {number: (low, len(messages)) for number, messages in enumerate(self.topics.get(topic, ()))}

    def ends(self, topic: str) -> dict[int, int]:
        return {partition: end for partition, (_, end) in self.bounds(topic).items()}

    def read(
        self, topic: str, starts: Mapping[int, int] | None = None, ends: Mapping[int, int] | None = None
    ) -> Iterator[StoredMessage]:
        for partition, (low, high) in self.bounds(topic).items():
            start = low if starts is None else max(low, starts.get(partition, high))
            end = high if ends is None else min(high, ends.get(partition, 0))
            yield from self.topics[topic][partition][start:end]

    def send(self, messages: Sequence[Outgoing]) -> list[Sent]:
        self.calls += 1
        crashes = self.calls == self.crash_at
        if crashes and not self.crash_after_writing:
            raise CrashError
        results = [self.answers(message) or Sent(place=self.add(message.topic, message)) for message in messages]
        if crashes:
            raise CrashError
        return results

    def events(self) -> list[StoredMessage]:
        return [message for partition in self.topics[EVENTS] for message in partition]

    def states(self) -> list[str]:
        """The newest state of each marker."""
        return sorted(str(marker.state) for marker in read_markers(self, MARKERS).values())


class NoDisplay:
    def stage(self, *_: Any, **__: Any) -> None: ...
    def update(self, *_: Any) -> None: ...


class FakeSession:
    """As `clickpulse.dlq.session.Session`, on a `Cluster`."""

    def __init__(self, cluster: Cluster) -> None:
        self.reader = cluster
        self.topic, self.marker_topic = LETTERS, MARKERS
        self.display = NoDisplay()

    def catalog(self) -> Catalog:
        return Catalog(parse_letter(message) for message in self.reader.read(LETTERS))

    def markers(self) -> dict[str, Any]:
        return read_markers(self.reader, MARKERS)


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def session(cluster: Cluster) -> FakeSession:
    return FakeSession(cluster)


@pytest.fixture
def headers_of() -> Callable[..., tuple[tuple[str, bytes], ...]]:
    return letter_headers


@pytest.fixture
def crash() -> type[CrashError]:
    return CrashError


@pytest.fixture
def stored() -> type[StoredMessage]:
    return StoredMessage
