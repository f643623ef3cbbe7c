"""What is out of the ordinary in a minute, and since when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from clickpulse.events import EventType
from clickpulse.reports import Anomaly
from clickpulse.stored_reports import StoredReport
from clickpulse.windows import MINUTE
from dashboard_ui.formats import LABELS, METRICS, clock, listing, metric_value
from dashboard_ui.services import Level

FEW_MINUTES = 10
"""With fewer minutes to compare with, "no anomaly" says little."""


@dataclass(frozen=True)
class Finding:
    """One anomaly, for people."""

    event_type: EventType
    level: Level
    what: str
    value: str
    expected: str
    since: str
    message: str
    sureness: str


def findings(report: StoredReport, past: Sequence[StoredReport]) -> list[Finding]:
    """The report's anomalies, the worst first. `past` are the reports before it, newest first."""
    ordered = sorted(report.anomalies, key=lambda one: (one.severity != "critical", -abs(one.score)))
    return [_finding(anomaly, report, past) for anomaly in ordered]


def verdict(report: StoredReport, found: Sequence[Finding]) -> tuple[Level, str]:
    """The one sentence on the minute."""
    if found:
        worst = Level.CRITICAL if any(one.level is Level.CRITICAL for one in found) else Level.WARNING
        names = [LABELS[event_type] for event_type in LABELS if any(one.event_type == event_type for one in found)]
        verb = "is" if len(names) == 1 else "are"
        return worst, f"{listing(names)} {verb} out of the ordinary"
    if not report.totals.events:
        return Level.UNKNOWN, "No events in this minute"
    if not report.complete:
        return Level.WARNING, "As usual so far, but the minute is incomplete"
    if report.detector.baseline_minutes < FEW_MINUTES:
        return Level.UNKNOWN, "Nothing unusual seen, but there is little past to compare with"
    return Level.OK, "All five interactions are as usual"


def troubled_since(report: StoredReport, past: Sequence[StoredReport], anomaly: Anomaly) -> tuple[datetime, bool]:
    """The first minute of the unbroken run with this anomaly, and whether the run may have begun before `past`."""
    start = report.window
    for earlier in past:
        if start - earlier.window != MINUTE or not any(_same(anomaly, one) for one in earlier.anomalies):
            return start, False
        start = earlier.window
    return start, bool(past)


def _finding(anomaly: Anomaly, report: StoredReport, past: Sequence[StoredReport]) -> Finding:
    start, open_ended = troubled_since(report, past, anomaly)
    metric = METRICS[anomaly.metric]
    since = (
        "new in this minute" if start == report.window else f"since {clock(start)}{' or earlier' if open_ended else ''}"
    )
    return Finding(
        event_type=anomaly.event_type,
        level=Level.CRITICAL if anomaly.severity == "critical" else Level.WARNING,
        what=f"{LABELS[anomaly.event_type]}: {metric} too {anomaly.direction}",
        value=metric_value(anomaly.metric, anomaly.value),
        expected=_expected(anomaly),
        since=since,
        message=anomaly.message,
        sureness=f"{abs(anomaly.score):,.1f} times the usual spread",
    )


def _expected(anomaly: Anomaly) -> str:
    usual = metric_value(anomaly.metric, anomaly.expected)
    limit = anomaly.upper if anomaly.direction == "high" else anomaly.lower
    if limit is None:
        return f"usually {usual}"
    word = "at most" if anomaly.direction == "high" else "at least"
    return f"usually {usual}, {word} {metric_value(anomaly.metric, limit)} expected"


def _same(one: Anomaly, other: Anomaly) -> bool:
    return (one.event_type, one.metric, one.direction) == (other.event_type, other.metric, other.direction)
