"""Compares what Kafka acknowledged with what ClickHouse, the reports and the dead-letter topic have.

The order of the questions makes it sound while events flow: first how far Kafka and the sink were, then everything
else. What came in between is not part of the account; what the sink had committed before must be found after.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import numpy as np
import structlog

from clickpulse.accounting.book import Book, Sums, by_place
from clickpulse.accounting.columns import MINUTE_MS, Ints, Mask, Rows, minute_number, together, window_of
from clickpulse.accounting.findings import Findings, account_of
from clickpulse.accounting.groups import Group, Mark
from clickpulse.accounting.interfaces import Rules, Sources
from clickpulse.accounting.kafka import Progress, Spans
from clickpulse.accounting.record import Account, UncheckableError
from clickpulse.accounting.reported import ReportedIds, repeated
from clickpulse.accounting.reports import CountingReport
from clickpulse.accounting.stored import Arrivals
from clickpulse.errors import ConfigurationError
from clickpulse.windows import MinuteWindow

DUE_AFTER = timedelta(minutes=3)
"""From the end of an event's minute, or its arrival where that is later, until it has to be accounted for."""

_MARGIN_MS = 2 * MINUTE_MS
"""Between clocks: an event's time may be so much later than its message's, besides what the settings allow."""

MINUTES_AT_ONCE = 10
"""Of which single rows are held in memory."""

log = structlog.get_logger()


def reconcile(
    sources: Sources,
    span: tuple[MinuteWindow, MinuteWindow],
    rules: Rules,
    now: datetime,
    progress: Progress | None = None,
) -> Account:
    """Account for the minutes from `span[0]` to before `span[1]`.

    Args:
        sources: made for `span[0]`.
        span: half-open.
        rules: see there.
        now: aware; what is due is due by then.
        progress: is told how many messages have been read, and of how many.

    Raises:
        UncheckableError: something that is needed is not kept any more.
        TransientError: a service does not answer.
        ConfigurationError: a setting is wrong.
    """
    first, count = minute_number(span[0]), minute_number(span[1]) - minute_number(span[0])
    return _Reconciliation(sources, first, count, rules, now).run(progress)


class _Reconciliation:
    """One pass; `_rest` are the rows that have no message in the book (yet), with what they would have marked."""

    def __init__(self, sources: Sources, first: int, count: int, rules: Rules, now: datetime) -> None:
        self._sources = sources
        self._first = first
        self._count = count
        self._rules = rules
        self._now_ms = int(now.timestamp() * 1000)
        self._findings = Findings()
        self._rest: list[tuple[Mark, str, str, Rows]] = []

    def run(self, progress: Progress | None) -> Account:
        views = self._views = dict(self._sources.topic.look())
        spans = self._spans()
        sums = self._sources.stored.sums(self._count)
        self._book = Book(self._count, spans)
        self._sources.topic.enter(self._book, spans, self._first, progress)
        self._letters = self._sources.letters.read(self._first, self._first + self._count)
        ledger = self._ledger()
        reports = self._sources.reports.counting(0, self._count)
        ids = self._reports(reports)
        self._settle_rest()
        self._late(ledger, ids)
        self._stored(sums, ids, ledger)
        self._settle_rest()
        for partition, view in views.items():
            self._book.mark_below(Mark.DUE, partition, view.reached, without=Mark.STORED)
        self._judge(reports)
        log.debug("reconciled", messages_held=self._book.bytes_held())
        return account_of(self._book, self._findings, reports, self._first, self._letters.refused)

    # Kafka

    def _spans(self) -> dict[int, tuple[int, int]]:
        if not self._views:
            raise ConfigurationError("Kafka shows no partition of the events' topic")
        ends = {partition: view.end for partition, view in self._views.items()}
        from_ms = self._first * MINUTE_MS - _MARGIN_MS - 1000 * self._rules.ahead_seconds
        starts = self._sources.topic.starts(ends, from_ms)
        spans = {p: (max(starts[p], view.low), max(view.end, view.low)) for p, view in self._views.items()}
        self._check_kept(spans)
        return spans

    def _check_kept(self, spans: Spans) -> None:
        """Raise `UncheckableError` if the oldest message there is of some partition is of the range itself."""
        oldest = {p: span for p, span in spans.items() if 0 < self._views[p].low == span[0] < span[1]}
        times = self._sources.topic.first_times(oldest)
        newest = max((time // MINUTE_MS for time in times.values()), default=self._first - 1)
        if newest >= self._first:
            raise _too_old(newest + 1)

    def _mark_letters(self) -> None:
        for partition, offsets in self._letters.places.items():
            self._book.mark_offsets(Mark.DEAD_LETTERED, partition, offsets)

    # what is found where

    def _take(self, mark: Mark, rows: Rows, kind: str, detail: str) -> None:
        unknown, differing = self._book.mark(mark, rows)
        self._rest.append((mark, kind, detail, unknown))
        self._findings.problem("other-event", differing, f"{detail}, with another event_id than Kafka's message")

    def _reports(self, reports: Mapping[int, CountingReport]) -> ReportedIds:
        self._mark_letters()
        parts = []
        for minute, report in sorted(reports.items()):
            rows = self._sources.reports.rows(report)
            if len(rows) != report.events:
                self._findings.wrong_total(minute, report, len(rows))
            self._take(
                Mark.REPORTED, rows, "reported-without-message", f"a row of revision {report.revision} of the report"
            )
            parts.append((rows.hash, rows.minute))
        around = self._reported_around()
        ids = ReportedIds([*parts, (around.hash, around.minute)], self._rules.duplicate_minutes)
        hashes, minutes = ids.twice()
        if len(hashes):
            rows = together(self._sources.reports.rows(reports[minute]) for minute in sorted(minutes & reports.keys()))
            rows = together([rows.take(np.isin(rows.hash, hashes)), around.take(np.isin(around.hash, hashes))])
            again = repeated(rows, self._rules.duplicate_minutes, range(self._count))
            self._findings.problem("reported-twice", again, "the event_id is in a report through another row as well")
        return ids

    def _reported_around(self) -> Rows:
        """Rows of reports before and after the range whose event_id is in the range as well."""
        reach, count = self._rules.duplicate_minutes, self._count
        found = []
        before = (0, min(reach, count)), (-reach, 0)
        after = (max(0, count - reach), count), (count, count + reach)
        for inner, outer in (before, after):
            rows = self._sources.stored.elsewhere(inner, outer) if reach else together([])
            reports = self._sources.reports.counting(*outer) if len(rows) else {}
            for minute in np.unique(rows.minute).tolist():
                if minute in reports:
                    reported = self._sources.reports.rows(reports[minute])
                    mine = rows.take(rows.minute == minute)
                    found.append(mine.take(np.isin(_places(mine), _places(reported))))
        return together(found)

    def _ledger(self) -> Arrivals:
        reach = self._rules.duplicate_minutes
        ledger = self._sources.stored.late(-reach, self._count + reach)
        inside = (ledger.rows.minute >= 0) & (ledger.rows.minute < self._count)
        self._take(Mark.LATE, ledger.rows.take(inside), "late-without-message", "a row of the late ledger")
        return ledger

    def _late(self, ledger: Arrivals, ids: ReportedIds) -> None:
        """Of the ledger's events only those count that are in no report, and each of them once."""
        rows = ledger.rows
        order = np.lexsort((rows.partition, rows.offset, ledger.arrived_ms, rows.hash))
        later = np.zeros(len(rows), np.bool_)
        later[order[1:]] = rows.hash[order[1:]] == rows.hash[order[:-1]]
        self._book.mark(Mark.COUNTED_ELSEWHERE, rows.take(ids.holds(rows) | later))

    def _stored(self, sums: Mapping[int, Sums], ids: ReportedIds, ledger: Arrivals) -> None:
        unlike = np.zeros(self._count, np.bool_)
        for partition in sorted({*self._book.partitions, *sums}):
            if partition not in sums or partition not in self._book.partitions:
                here = sums[partition] if partition in sums else self._book.sums(partition, without=Mark.DEAD_LETTERED)
                unlike |= here.rows > 0
                continue
            kafka = self._book.sums(partition, without=Mark.DEAD_LETTERED)
            same = (kafka.rows == sums[partition].rows) & (kafka.checks == sums[partition].checks)
            self._book.mark_minutes(Mark.STORED, partition, same, without=Mark.DEAD_LETTERED)
            unlike |= ~same
        wanted = np.union1d(np.flatnonzero(unlike), self._open_minutes())
        for first, end in _runs(wanted.tolist()):
            self._single_rows(self._sources.stored.rows(first, end), ids, ledger)

    def _open_minutes(self) -> Ints:
        return np.unique(self._book.having(Mark.STORED, without=Mark.REPORTED | Mark.LATE).minute)

    def _single_rows(self, arrivals: Arrivals, ids: ReportedIds, ledger: Arrivals) -> None:
        rows = arrivals.rows
        self._take(Mark.STORED, rows, "row-without-message", "a row of ClickHouse")
        marks = self._book.marks_of(rows)
        open_ = (marks & (Mark.STORED | Mark.REPORTED | Mark.LATE)) == Mark.STORED
        rows, arrived = rows.take(open_), arrivals.arrived_ms[open_]
        elsewhere = ids.holds(rows) | np.isin(rows.hash, ledger.rows.hash)
        self._book.mark(Mark.COUNTED_ELSEWHERE, rows.take(elsewhere))
        ended = (rows.minute + self._first + 1) * MINUTE_MS
        due = np.maximum(ended, arrived) + int(DUE_AFTER.total_seconds() * 1000)
        self._book.mark(Mark.DUE, rows.take(due <= self._now_ms))

    # rows without a message

    def _settle_rest(self) -> None:
        """Rows whose message was not read: it came meanwhile, or lies before what was read, or there is none."""
        pending, self._rest = self._rest, []
        rows = together(part for *_, part in pending)
        if not len(rows):
            return
        self._read_earlier(rows)
        ends = {partition: view.end for partition, view in self._sources.topic.look().items()}
        for mark, kind, detail, part in pending:
            unknown, differing = self._book.mark(mark, part)
            self._findings.problem("other-event", differing, f"{detail}, with another event_id than Kafka's message")
            begin = _of_partition({p: view.end for p, view in self._views.items()}, unknown)
            newer = (unknown.offset >= begin) & (unknown.offset < _of_partition(ends, unknown))
            self._findings.problem(kind, unknown.take(~newer), f"{detail}, and Kafka has no such message of the minute")

    def _read_earlier(self, rows: Rows) -> None:
        """Read on before the book's start where rows are from there; Kafka's timestamps were another's."""
        lows = {partition: view.low for partition, view in self._views.items()}
        removed = rows.offset < _of_partition(lows, rows)
        if removed.any():
            raise _too_old(self._first + int(rows.minute[removed].max()) + 1)
        for partition in self._book.partitions:
            before = rows.offset[(rows.partition == partition) & (rows.offset < self._book.start(partition))]
            if len(before):
                span = (int(before.min()), self._book.start(partition))
                self._book.extend(partition, span[0])
                self._sources.topic.enter(self._book, {partition: span}, self._first)
        self._mark_letters()

    # the outcome

    def _judge(self, reports: Mapping[int, CountingReport]) -> None:
        gone = self._book.having(Mark.REPORTED, without=Mark.STORED)
        self._findings.problem(
            "not-stored", gone.take(~self._expired(gone)), "in the report, and ClickHouse has no row of it any more"
        )
        missing = self._book.of_group(Group.MISSING)
        stored = (self._book.marks_of(missing) & Mark.STORED) != 0
        lost = "the sink has committed beyond it, and ClickHouse has no row of it"
        if self._letters.dropped:
            lost += "; Kafka has removed the oldest dead letters, which it may have been among"
        self._findings.problem("missing", missing.take(~stored), lost, unexpected=False)
        reported = np.isin(missing.minute, list(reports))
        overdue = "stored, overdue, and in no report"
        self._findings.problem(
            "missing", missing.take(stored & reported), f"{overdue}: no revision took it up", unexpected=False
        )
        self._findings.problem(
            "missing", missing.take(stored & ~reported), f"{overdue}: its minute has none", unexpected=False
        )
        self._findings.note_groups(self._book)

    def _expired(self, gone: Rows) -> Mask:
        """Which rows ClickHouse may have removed because of their age: as it does that by arrival, none before it is
        left in their partition.
        """
        oldest = {p: self._book.end(p) for p in self._book.partitions}
        if len(gone):
            for _, partition, offsets in by_place(self._book.having(Mark.STORED, without=Mark(0))):
                oldest[partition] = min(oldest[partition], int(offsets[0]))
        kept_from = self._now_ms // MINUTE_MS - self._rules.kept_days * 24 * 60 - self._first
        return (gone.minute < kept_from) & (gone.offset < _of_partition(oldest, gone))


def _too_old(minute: int) -> UncheckableError:
    return UncheckableError(
        "Kafka has removed messages of this range (it keeps KAFKA_RETENTION_BYTES of each partition): what happened "
        f"from {window_of(minute)} on can be checked"
    )


def _places(rows: Rows) -> Ints:
    """Partition and offset as one number."""
    return rows.partition << np.int64(48) | rows.offset


def _of_partition(values: Mapping[int, int], rows: Rows) -> Ints:
    """A value for each row by its partition; 0 for partitions that there are not."""
    found = np.zeros(len(rows), np.int64)
    for partition, value in values.items():
        found[rows.partition == partition] = value
    return found


def _runs(minutes: Iterable[int]) -> Iterable[tuple[int, int]]:
    """Successive minutes together, at most `MINUTES_AT_ONCE`, as half-open ranges."""
    first = end = -1
    for minute in minutes:
        if minute == end and end - first < MINUTES_AT_ONCE:
            end += 1
            continue
        if end > first:
            yield first, end
        first, end = minute, minute + 1
    if end > first:
        yield first, end
