"""Services made of lists: what each of them has is laid down by the test."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from clickpulse.accounting.book import Book, Sums
from clickpulse.accounting.columns import Rows, check_terms, hash_of_bytes, rows_of, short
from clickpulse.accounting.dead import Letters
from clickpulse.accounting.interfaces import Rules, Sources
from clickpulse.accounting.kafka import Progress, Spans
from clickpulse.accounting.reconcile import reconcile
from clickpulse.accounting.record import Account, MinuteAccount
from clickpulse.accounting.reports import CountingReport
from clickpulse.accounting.stored import Arrivals
from clickpulse.completeness import PartitionView
from clickpulse.windows import MINUTE, MinuteWindow

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
START_MS = int(START.timestamp() * 1000)


def event_hash(event: int) -> int:
    return int(hash_of_bytes(np.frombuffer(uuid.UUID(int=event).bytes, np.uint8).reshape(1, 16))[0])


@dataclass(frozen=True)
class Row:
    """A message, or a row that claims to be of one. `event` is a small number in place of a UUID."""

    minute: int
    partition: int
    offset: int
    event: int
    arrived: float = 0
    """Seconds from the start of minute 0."""


@dataclass
class World:
    """All services. `minutes` is the length of the range, which begins with minute 0."""

    minutes: int = 3
    now: float = 3600
    messages: list[Row] = field(default_factory=list)
    stored: list[Row] = field(default_factory=list)
    ledger: list[Row] = field(default_factory=list)
    reported: dict[int, list[Row]] = field(default_factory=dict)
    totals: dict[int, int] = field(default_factory=dict)
    dead: list[tuple[int, int]] = field(default_factory=list)
    refused: int = 0
    committed: dict[int, int] = field(default_factory=dict)
    lows: dict[int, int] = field(default_factory=dict)
    starts_at: dict[int, int] = field(default_factory=dict)
    ends_later: dict[int, int] = field(default_factory=dict)
    partitions: int = 2
    shift: int = 0
    asked: list[str] = field(default_factory=list)

    def message(self, minute: int, event: int, partition: int = 0, *, store: bool = True, report: bool = True) -> Row:
        """A message at the partition's end; stored at the end of its minute, and in its report, unless told not to."""
        row = Row(minute, partition, self._end(partition), event, arrived=minute * 60 + 30)
        self.messages.append(row)
        if store:
            self.stored.append(row)
        if report:
            self.reported.setdefault(minute, []).append(row)
        return row

    def moved(self, shift: int) -> World:
        """The same services, asked by somebody whose minute 0 is the minute `shift` here."""
        return replace(self, shift=shift)

    def _seen(self, rows: Iterable[Row]) -> list[Row]:
        """Rows with their minutes as they are counted by whoever asks."""
        return [replace(one, minute=one.minute - self.shift) for one in rows]

    def _end(self, partition: int) -> int:
        return max((one.offset + 1 for one in self.messages if one.partition == partition), default=0)

    def account(self) -> Account:
        first = MinuteWindow(START)
        span = first, MinuteWindow(START + self.minutes * MINUTE)
        rules = Rules(duplicate_minutes=60, kept_days=30, ahead_seconds=300)
        return reconcile(Sources(self, self, self, self), span, rules, START + timedelta(seconds=self.now))

    def minute(self, number: int) -> MinuteAccount:
        return self.account().minutes[number]

    # Kafka

    def look(self) -> dict[int, PartitionView]:
        later = self.ends_later if "look" in self.asked else {}
        self.asked.append("look")
        return {
            partition: PartitionView(
                first_after=None,
                end=self._end(partition) + later.get(partition, 0),
                committed=self.committed.get(partition, self._end(partition)),
                low=self.lows.get(partition, 0),
            )
            for partition in range(self.partitions)
        }

    def starts(self, ends: Mapping[int, int], time_ms: int) -> dict[int, int]:
        assert time_ms < START_MS
        return {partition: self.starts_at.get(partition, 0) for partition in ends}

    def first_times(self, spans: Spans) -> dict[int, int]:
        return {
            partition: START_MS + 60_000 * one.minute
            for partition, (start, _) in spans.items()
            for one in self.messages
            if (one.partition, one.offset) == (partition, start)
        }

    def enter(self, book: Book, spans: Spans, first_minute: int, progress: Progress | None = None) -> None:
        assert first_minute == START_MS // 60_000 + self.shift
        assert progress is None
        for partition, (start, end) in spans.items():
            there = [m for m in self.messages if m.partition == partition and start <= m.offset < end]
            rows = columns(self._seen(there))
            book.enter(partition, rows.offset, rows.minute, short(rows.hash))

    # ClickHouse

    def sums(self, minutes: int) -> dict[int, Sums]:
        found: dict[int, Sums] = {}
        for one in self._seen(self.stored):
            if 0 <= one.minute < minutes:
                empty = Sums(np.zeros(minutes, np.int64), np.zeros(minutes, np.uint64))
                sums = found.setdefault(one.partition, empty)
                rows = columns([one])
                sums.rows[one.minute] += 1
                sums.checks[one.minute] += check_terms(rows.offset, short(rows.hash))[0]
        return found

    def rows(self, first: int | CountingReport, end: int = 0) -> Arrivals | Rows:
        """Of ClickHouse by minutes, or of S3 by report."""
        if isinstance(first, CountingReport):
            return columns(self._seen(self.reported[round((first.window.start - START) / MINUTE)]))
        self.asked.append(f"rows {first} {end}")
        return arrivals([one for one in self._seen(self.stored) if first <= one.minute < end])

    def late(self, first: int, end: int) -> Arrivals:
        return arrivals([one for one in self._seen(self.ledger) if first <= one.minute < end])

    def elsewhere(self, inner: tuple[int, int], outer: tuple[int, int]) -> Rows:
        stored = self._seen(self.stored)
        events = {one.event for one in stored if inner[0] <= one.minute < inner[1]}
        return columns([one for one in stored if outer[0] <= one.minute < outer[1] and one.event in events])

    # reports and letters

    def counting(self, first: int, end: int) -> dict[int, CountingReport]:
        return {
            minute - self.shift: CountingReport(
                window=MinuteWindow(START + minute * MINUTE),
                revision=0,
                complete=True,
                events=self.totals.get(minute, len(rows)),
                events_key="e",
                received_at=START + (minute + 1) * MINUTE,
            )
            for minute, rows in self.reported.items()
            if first <= minute - self.shift < end
        }

    def read(self, first_minute: int, end_minute: int) -> Letters:
        assert self.shift or end_minute - first_minute == self.minutes
        places = {
            partition: np.array([offset for where, offset in self.dead if where == partition])
            for partition in {where for where, _ in self.dead}
        }
        return Letters(places, self.refused, dropped=False)


def columns(rows: list[Row]) -> Rows:
    return rows_of(
        [one.minute for one in rows],
        [one.partition for one in rows],
        [one.offset for one in rows],
        [event_hash(one.event) for one in rows],
    )


def arrivals(rows: list[Row]) -> Arrivals:
    return Arrivals(columns(rows), np.array([START_MS + round(1000 * one.arrived) for one in rows], np.int64))


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(scope="session")
def make_world() -> type[World]:
    return World


@pytest.fixture(scope="session")
def row() -> type[Row]:
    return Row
