"""Puts an account together: counts by minute, and problems and notes with partition and offsets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from clickpulse.accounting.book import Book, by_place
from clickpulse.accounting.columns import Ints, Rows, ranges, window_of
from clickpulse.accounting.groups import Group
from clickpulse.accounting.record import Account, Counts, Finding, MinuteAccount
from clickpulse.accounting.reports import CountingReport

MOST_RANGES = 50
"""Ranges of offsets that are named of one thing in one partition of one minute."""

_NOTES = {
    Group.DUPLICATES: ("duplicate", "the event_id counts through another message"),
    Group.LATE: ("late", "came beyond the horizon: in the late ledger, in no report"),
    Group.DEAD_LETTERED: ("dead-lettered", "in the dead-letter topic"),
    Group.PENDING: ("pending", "not in a report yet, and not due yet"),
}


@dataclass
class Findings:
    """What is found, by minute of the range."""

    problems: dict[int, list[Finding]] = field(default_factory=lambda: defaultdict(list))
    notes: dict[int, list[Finding]] = field(default_factory=lambda: defaultdict(list))
    unexpected: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    def problem(self, kind: str, rows: Rows, detail: str, *, unexpected: bool = True) -> None:
        """Something is wrong with the rows; `unexpected` unless they are counted in a group as it is."""
        for minute, partition, offsets in by_place(rows):
            self.problems[minute].append(_finding(kind, partition, offsets, detail))
            self.unexpected[minute] += len(offsets) if unexpected else 0

    def wrong_total(self, minute: int, report: CountingReport, rows: int) -> None:
        detail = f"revision {report.revision} counts {report.events} events and was made of {rows}"
        self.problems[minute].append(Finding(kind="wrong-total", partition=None, offsets=[], detail=detail))
        self.unexpected[minute] += abs(report.events - rows)

    def note_groups(self, book: Book) -> None:
        """Name the messages that are accounted for without a report."""
        for group, (kind, detail) in _NOTES.items():
            for minute, partition, offsets in by_place(book.of_group(group)):
                self.notes[minute].append(_finding(kind, partition, offsets, detail))


def _finding(kind: str, partition: int, offsets: Ints, detail: str) -> Finding:
    found = ranges(offsets)
    if len(found) > MOST_RANGES:
        detail = f"{detail}; and {len(found) - MOST_RANGES} more ranges up to offset {found[-1][1]}"
    return Finding(kind=kind, partition=partition, offsets=found[:MOST_RANGES], detail=detail)


def account_of(
    book: Book, findings: Findings, reports: Mapping[int, CountingReport], first_minute: int, refused: int
) -> Account:
    """The account of the book's minutes; `first_minute` is in minutes of the epoch."""
    counts = book.counts()
    minutes = []
    for number in range(book.minutes):
        report = reports.get(number)
        by_group = {group.name.lower(): int(counts[number, group]) for group in Group}
        minutes.append(
            MinuteAccount(
                window=window_of(first_minute + number).start,
                revision=report.revision if report else None,
                complete=report.complete if report else None,
                acknowledged=sum(by_group.values()),
                **by_group,
                unexpected=findings.unexpected.get(number, 0),
                problems=findings.problems.get(number, []),
                notes=findings.notes.get(number, []),
            )
        )
    return Account(
        start=window_of(first_minute).start,
        end=window_of(first_minute + book.minutes).start,
        adds_up=all(minute.adds_up for minute in minutes),
        totals=Counts.total(minutes),
        refused_by_producers=refused,
        minutes=minutes,
    )
