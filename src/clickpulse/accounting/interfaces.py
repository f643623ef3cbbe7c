"""Whom the accounting asks, as it sees them, and the rules it goes by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from clickpulse.accounting.book import Book, Sums
from clickpulse.accounting.columns import Rows
from clickpulse.accounting.dead import Letters
from clickpulse.accounting.kafka import Progress, Spans
from clickpulse.accounting.reports import CountingReport
from clickpulse.accounting.stored import Arrivals
from clickpulse.completeness import PartitionView


class Topic(Protocol):
    """The events' topic."""

    def look(self) -> Mapping[int, PartitionView]: ...
    def starts(self, ends: Mapping[int, int], time_ms: int) -> Mapping[int, int]: ...
    def first_times(self, spans: Spans) -> Mapping[int, int]: ...
    def enter(self, book: Book, spans: Spans, first_minute: int, progress: Progress | None = None) -> None: ...


class Stored(Protocol):
    """ClickHouse."""

    def sums(self, minutes: int) -> Mapping[int, Sums]: ...
    def rows(self, first: int, end: int) -> Arrivals: ...
    def late(self, first: int, end: int) -> Arrivals: ...
    def elsewhere(self, inner: tuple[int, int], outer: tuple[int, int]) -> Rows: ...


class Reports(Protocol):
    """The report API and S3."""

    def counting(self, first: int, end: int) -> Mapping[int, CountingReport]: ...
    def rows(self, report: CountingReport) -> Rows: ...


class DeadLetterTopic(Protocol):
    def read(self, first_minute: int, end_minute: int) -> Letters: ...


@dataclass(frozen=True)
class Sources:
    """Whom to ask; minutes are counted from the range's first everywhere."""

    topic: Topic
    stored: Stored
    reports: Reports
    letters: DeadLetterTopic


@dataclass(frozen=True)
class Rules:
    """`duplicate_minutes`: an event_id counts once within so many. `kept_days`: how long ClickHouse keeps rows.
    `ahead_seconds`: events that are further ahead of the clock are dead-lettered.
    """

    duplicate_minutes: int
    kept_days: int
    ahead_seconds: int
