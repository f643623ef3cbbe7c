"""Stand-ins for the edges of the sink: Kafka's messages, ClickHouse, the dead-letter topic."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from clickpulse.dead_letters import DeadLetter
from clickpulse.errors import TransientError
from connect.sink.batch import Batch
from connect.sink.writer import InsertRefusedError
from tests.support import forget_settings

HEAD = b"\x00\x00\x00\x00\x01"


@pytest.fixture(autouse=True)
def no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which sink is chosen, and from which archive, is a test's own matter, also where the stack has been told."""
    monkeypatch.delenv("SINK", raising=False)
    forget_settings(monkeypatch, "CONNECT_SINK_")


@dataclass(frozen=True)
class FakeMessage:
    at: tuple[int, int]
    content: bytes | None = HEAD + b"good"
    sent: int = 1_700_000_000_000

    def value(self) -> bytes | None:
        return self.content

    def key(self) -> bytes:
        return b"user"

    def topic(self) -> str:
        return "events"

    def partition(self) -> int:
        return self.at[0]

    def offset(self) -> int:
        return self.at[1]

    def timestamp(self) -> tuple[int, int]:
        return (1, self.sent)

    def headers(self) -> list[tuple[str, bytes | None]]:
        return [("source", b"test")]


@dataclass
class FakeClickHouse:
    """Stores rows by the numbering of the segments; refuses messages as told."""

    refuses: Callable[[bytes], int | None] = lambda _: None
    rows: list[tuple[int, int, bytes]] = field(default_factory=list)
    inserts: int = 0
    outages: list[str] = field(default_factory=list)
    """What happens to the next calls: `down` (nothing stored), `lost` (stored, the answer is lost)."""

    def insert(self, batch: Batch) -> None:
        self.inserts += 1
        outage = self.outages.pop(0) if self.outages else ""
        if outage == "down":
            raise TransientError("ClickHouse: refused")
        for message in batch.messages:
            if code := self.refuses(message.value() or b""):
                raise InsertRefusedError(code, f"Code: {code}")
        self.rows += numbered(batch)
        if outage == "lost":
            raise TransientError("ClickHouse: answer lost")

    def stored_positions(self) -> dict[int, int]:
        positions: dict[int, int] = {}
        for partition, offset, _ in self.rows:
            positions[partition] = max(positions.get(partition, -1), offset)
        return positions

    @property
    def offsets(self) -> list[tuple[int, int]]:
        return [(partition, offset) for partition, offset, _ in self.rows]


def numbered(batch: Batch) -> list[tuple[int, int, bytes]]:
    """Partition, offset and value of each row as ClickHouse derives them: from the segments and the row's number."""
    segments = batch.segments()
    rows = []
    for number, message in enumerate(batch.messages):
        index = max(i for i, start in enumerate(segments.starts) if start <= number)
        offset = segments.offsets[index] + number - segments.starts[index]
        rows.append((segments.partitions[index], offset, message.value() or b""))
    return rows


@dataclass
class FakeDeadLetters:
    letters: list[DeadLetter] = field(default_factory=list)
    outages: int = 0
    before: Callable[[], Any] = lambda: None

    def write(self, letters: Sequence[DeadLetter]) -> None:
        if self.outages:
            self.outages -= 1
            raise TransientError("dead-letter topic: timed out")
        self.before()
        self.letters += letters

    @property
    def offsets(self) -> list[tuple[int | None, int | None]]:
        return [(letter.partition, letter.offset) for letter in self.letters]


@pytest.fixture
def message() -> type[FakeMessage]:
    return FakeMessage


@pytest.fixture
def clickhouse() -> FakeClickHouse:
    return FakeClickHouse()


@pytest.fixture
def dead_letters() -> FakeDeadLetters:
    return FakeDeadLetters()


@pytest.fixture
def messages_at() -> Callable[[Iterable[tuple[int, int]]], list[FakeMessage]]:
    return lambda places: [FakeMessage(place) for place in places]
