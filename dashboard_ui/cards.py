"""The figures at the top, each with its change from the minute before and its course over the hour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from clickpulse.reports import Totals
from clickpulse.stored_reports import StoredReport
from clickpulse.windows import MINUTE
from dashboard_ui.data import HOUR_MINUTES
from dashboard_ui.formats import milliseconds, number, percent, seconds

MADE_UP_FOR_SECONDS = 60
"""Between reports whose delays differ by more, one was made up for later: no change worth telling."""

Tone = Literal["worse", "better", "same"]


@dataclass(frozen=True)
class Card:
    """One figure. `course` is the hour's values, oldest first, None where a minute has none."""

    key: str
    label: str
    value: str
    change: str
    tone: Tone
    note: str
    course: tuple[float | None, ...]


def cards(report: StoredReport, past: Sequence[StoredReport]) -> list[Card]:
    """The cards of the report; `past` are the reports before it, newest first."""
    before = past[0] if past and report.window - past[0].window == MINUTE else None
    totals, previous = report.totals, before.totals if before else None
    return [
        Card(
            "events",
            "Events",
            number(totals.events),
            *_share_change(totals.events, previous.events if previous else None),
            f"{totals.events / MINUTE.total_seconds():,.1f} a second",
            _course(report, past, lambda one: float(one.totals.events)),
        ),
        Card(
            "error_rate",
            "Error rate",
            percent(totals.error_rate),
            *_rate_change(totals.error_rate, previous.error_rate if previous else None),
            f"{number(totals.errors)} of {number(totals.events)} failed",
            _course(report, past, lambda one: one.totals.error_rate),
        ),
        Card(
            "latency_p95_ms",
            "p95 latency",
            milliseconds(_p95(totals)),
            *_latency_change(_p95(totals), _p95(previous) if previous else None),
            f"median {milliseconds(totals.latency_ms.p50 if totals.latency_ms else None)}",
            _course(report, past, lambda one: _p95(one.totals)),
        ),
        Card(
            "users",
            "Users",
            number(totals.users),
            *_share_change(totals.users, previous.users if previous else None),
            f"in {number(totals.sessions)} sessions",
            _course(report, past, lambda one: float(one.totals.users)),
        ),
        Card(
            "freshness",
            "Readable after",
            seconds(report.freshness_seconds),
            *_seconds_change(report.freshness_seconds, before.freshness_seconds if before else None),
            "from the minute's end",
            _course(report, past, lambda one: one.freshness_seconds),
        ),
    ]


def _p95(totals: Totals) -> float | None:
    return totals.latency_ms.p95 if totals.latency_ms else None


def _course(
    report: StoredReport, past: Sequence[StoredReport], value: Callable[[StoredReport], float | None]
) -> tuple[float | None, ...]:
    """A value a minute over the hour that ends with the report; the gaps stay gaps."""
    known = {one.window: value(one) for one in (report, *past)}
    oldest = min(known)
    count = min(HOUR_MINUTES, round((report.window - oldest) / MINUTE) + 1)
    return tuple(known.get(report.window - MINUTE * back) for back in reversed(range(count)))


def _share_change(value: float, before: float | None) -> tuple[str, Tone]:
    """How many per cent more or fewer; that is neither good nor bad in itself."""
    if not before:
        return "", "same"
    return _signed((value - before) / before * 100, ".1f", " %"), "same"


def _rate_change(value: float | None, before: float | None) -> tuple[str, Tone]:
    if value is None or before is None:
        return "", "same"
    return _signed((value - before) * 100, ".2f", " points"), _tone(value, before, unnoticed=0.002)


def _latency_change(value: float | None, before: float | None) -> tuple[str, Tone]:
    if value is None or before is None:
        return "", "same"
    return _signed(value - before, ",.0f", " ms"), _tone(value, before, unnoticed=20)


def _seconds_change(value: float, before: float | None) -> tuple[str, Tone]:
    if before is None or abs(value - before) > MADE_UP_FOR_SECONDS:
        return "", "same"
    return _signed(value - before, ",.1f", " s"), _tone(value, before, unnoticed=1)


def _tone(value: float, before: float, *, unnoticed: float) -> Tone:
    """More is worse; a change of less than a tenth, or than `unnoticed`, is the noise of every minute."""
    if abs(value - before) < max(unnoticed, abs(before) / 10):
        return "same"
    return "worse" if value > before else "better"


def _signed(change: float, spec: str, unit: str) -> str:
    """`▲ 1.3 %`, `▼ 0.2 %`, `± 0.0 %`: the direction is a sign, not a colour."""
    shown = format(abs(change), spec)
    arrow = "±" if not float(shown.replace(",", "")) else "▲" if change > 0 else "▼"
    return f"{arrow} {shown}{unit}"
