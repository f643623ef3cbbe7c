"""The last hour minute by minute: which had trouble, which are incomplete, which are missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from clickpulse.stored_reports import StoredReport
from clickpulse.windows import MINUTE, MinuteWindow
from dashboard_ui.data import HOUR_MINUTES
from dashboard_ui.formats import LABELS, clock, listing, number


class State(StrEnum):
    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"
    INCOMPLETE = "incomplete"
    MISSING = "missing"
    BEFORE = "before"
    """Before the first report that there is."""


SIGNS = {
    State.OK: "",
    State.WARNING: "△",
    State.CRITICAL: "▲",
    State.INCOMPLETE: "◐",
    State.MISSING: "✕",
    State.BEFORE: "",
}


@dataclass(frozen=True)
class Minute:
    """One minute of the strip."""

    window: datetime
    state: State
    text: str

    @property
    def address(self) -> str:
        """The value of the page's `minute` parameter that shows it."""
        return str(MinuteWindow(self.window))


def hour_of_minutes(reports: Sequence[StoredReport]) -> list[Minute]:
    """The hour that ends with the newest report, oldest first; nothing without reports."""
    if not reports:
        return []
    known = {report.window: report for report in reports}
    newest, oldest = max(known), min(known)
    windows = [newest - MINUTE * back for back in reversed(range(HOUR_MINUTES))]
    return [_minute(window, known.get(window), before=window < oldest) for window in windows]


def missing(minutes: Sequence[Minute]) -> list[datetime]:
    return [minute.window for minute in minutes if minute.state is State.MISSING]


def _minute(window: datetime, report: StoredReport | None, *, before: bool) -> Minute:
    if report is None:
        if before:
            return Minute(window, State.BEFORE, f"{clock(window)}: before the first report")
        return Minute(window, State.MISSING, f"{clock(window)}: no report")
    facts = [f"{number(report.totals.events)} events"]
    if report.anomalies:
        troubled = {anomaly.event_type for anomaly in report.anomalies}
        facts.append("anomalies in " + listing([LABELS[one] for one in LABELS if one in troubled]))
    if not report.complete:
        facts.append("incomplete")
    return Minute(window, _state(report), f"{clock(window)}: {', '.join(facts)}")


def _state(report: StoredReport) -> State:
    severities = {anomaly.severity for anomaly in report.anomalies}
    if "critical" in severities:
        return State.CRITICAL
    if severities:
        return State.WARNING
    return State.OK if report.complete else State.INCOMPLETE
