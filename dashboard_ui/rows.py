"""The tables: event types and error codes of one minute."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from clickpulse.events import EventType
from clickpulse.reports import EventTypeStats
from clickpulse.stored_reports import StoredReport
from clickpulse.windows import MINUTE
from dashboard_ui.data import HOUR_MINUTES
from dashboard_ui.findings import Finding
from dashboard_ui.formats import LABELS, NOTHING, clock, listing, milliseconds, number, percent
from dashboard_ui.services import Level

MOST_CODES = 3


@dataclass(frozen=True)
class TypeRow:
    """One event type. `course` is its error rate over the hour, oldest first."""

    key: str
    label: str
    level: Level
    state: str
    events: int
    events_text: str
    success_rate: str
    error_rate: str
    p50: str
    p95: str
    p99: str
    codes: str
    course: tuple[float | None, ...]
    troubled: frozenset[str]
    """The metrics with an anomaly: `events`, `error_rate`, `latency_p95_ms`."""


@dataclass(frozen=True)
class CodeRow:
    """One error code. `share` is of all errors of the minute."""

    code: str
    count: int
    share: float
    where: str


class _Name(NamedTuple):
    key: str
    label: str


class _State(NamedTuple):
    level: Level
    text: str


def type_rows(report: StoredReport, past: Sequence[StoredReport], found: Sequence[Finding]) -> list[TypeRow]:
    """A row for each event type, in the order of a visit."""
    return [_type_row(event_type, report, past, found) for event_type in LABELS]


def total_row(report: StoredReport, past: Sequence[StoredReport]) -> TypeRow:
    return _row(_Name("ALL", "All"), _State(Level.UNKNOWN, ""), report.totals, _course(None, report, past))


def code_rows(report: StoredReport) -> list[CodeRow]:
    """The minute's error codes, the most frequent first."""
    total = sum(report.totals.error_codes.values())
    ordered = sorted(report.totals.error_codes.items(), key=lambda item: (-item[1], item[0]))
    return [CodeRow(code, count, count / total if total else 0.0, _where(code, report)) for code, count in ordered]


def _type_row(
    event_type: EventType, report: StoredReport, past: Sequence[StoredReport], found: Sequence[Finding]
) -> TypeRow:
    mine = [one for one in found if one.event_type == event_type]
    stats = report.by_event_type[event_type]
    state = _state(event_type, stats, past, mine)
    troubled = frozenset(one.metric for one in report.anomalies if one.event_type == event_type)
    name = _Name(event_type.value, LABELS[event_type])
    return _row(name, state, stats, _course(event_type, report, past), troubled)


def _row(
    name: _Name,
    state: _State,
    stats: EventTypeStats,
    course: tuple[float | None, ...],
    troubled: frozenset[str] = frozenset(),
) -> TypeRow:
    latency = stats.latency_ms
    return TypeRow(
        key=name.key,
        label=name.label,
        level=state.level,
        state=state.text,
        events=stats.events,
        events_text=number(stats.events),
        success_rate=percent(stats.success_rate),
        error_rate=percent(stats.error_rate),
        p50=milliseconds(latency.p50 if latency else None),
        p95=milliseconds(latency.p95 if latency else None),
        p99=milliseconds(latency.p99 if latency else None),
        codes=_codes(stats),
        course=course,
        troubled=troubled,
    )


def _state(
    event_type: EventType, stats: EventTypeStats, past: Sequence[StoredReport], mine: Sequence[Finding]
) -> _State:
    if mine:
        level = Level.CRITICAL if any(one.level is Level.CRITICAL for one in mine) else Level.WARNING
        return _State(level, mine[0].since)
    if not stats.events:
        return _State(Level.UNKNOWN, "no events")
    for report in past:
        if any(anomaly.event_type == event_type for anomaly in report.anomalies):
            return _State(Level.OK, f"as usual since {clock(report.window + MINUTE)}")
    return _State(Level.OK, "as usual")


def _course(
    event_type: EventType | None, report: StoredReport, past: Sequence[StoredReport]
) -> tuple[float | None, ...]:
    stats = {one.window: one.by_event_type[event_type] if event_type else one.totals for one in (report, *past)}
    count = min(HOUR_MINUTES, round((report.window - min(stats)) / MINUTE) + 1)
    minutes = [stats.get(report.window - MINUTE * back) for back in reversed(range(count))]
    return tuple(one.error_rate if one else None for one in minutes)


def _codes(stats: EventTypeStats) -> str:
    ordered = sorted(stats.error_codes.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{code}: {number(count)}" for code, count in ordered[:MOST_CODES]]
    more = [f"{len(ordered) - MOST_CODES} more"] if len(ordered) > MOST_CODES else []
    return ", ".join(shown + more) or NOTHING


def _where(code: str, report: StoredReport) -> str:
    counts: Counter[EventType] = Counter(
        {event_type: stats.error_codes.get(code, 0) for event_type, stats in report.by_event_type.items()}
    )
    return listing([f"{LABELS[event_type]} {number(count)}" for event_type, count in counts.most_common() if count])
