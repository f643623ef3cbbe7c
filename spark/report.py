"""From a minute's summary to its report: pure code, so that the same inputs give the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clickpulse.events import EventType
from clickpulse.reports import Changes, Completeness, EventTypeStats, Inputs, LatencyStats, Report, Totals
from clickpulse.windows import MinuteWindow
from spark.detection import BaselineMinute, detect
from spark.summary import MinuteSummary


def build_report(
    window: MinuteWindow,
    summary: MinuteSummary,
    baseline: Sequence[BaselineMinute],
    *,
    completeness: Completeness,
    inputs: tuple[str, str],
    revision: int = 0,
    revision_reason: str | None = None,
    previous: Report | None = None,
) -> Report:
    """Put the report of one minute together.

    Event types without events are in it with zeros; `inputs` names the events and the baseline object; what differs
    from `previous`, the revision before, is told.
    """
    by_event_type = {
        event_type: EventTypeStats(**_stats(summary.by_event_type.get(event_type))) for event_type in EventType
    }
    detection = detect(window, by_event_type, baseline, partial=not completeness.complete)
    totals = Totals(**_stats(summary.total), users=summary.users, sessions=summary.sessions)
    events, past = inputs
    report = Report(
        window=window.start,
        window_end=window.end,
        revision=revision,
        revision_reason=revision_reason,
        complete=completeness.complete,
        completeness=completeness,
        totals=totals,
        by_event_type=by_event_type,
        anomalies=detection.anomalies,
        detector=detection.detector,
        inputs=Inputs(events=events, baseline=past, rows=totals.events),
    )
    if previous is None:
        return report
    return report.model_copy(update={"changes": Changes.between(previous, report)})


def _stats(row: dict[str, Any] | None) -> dict[str, Any]:
    if row is None:
        return {
            "events": 0,
            "successes": 0,
            "errors": 0,
            "success_rate": None,
            "error_rate": None,
            "error_codes": {},
            "latency_ms": None,
        }
    events = row["events"]
    codes = {str(entry["code"]): entry["events"] for entry in row["error_codes"]}
    return {
        "events": events,
        "successes": row["successes"],
        "errors": row["errors"],
        "success_rate": row["successes"] / events,
        "error_rate": row["errors"] / events,
        "error_codes": dict(sorted(codes.items())),
        "latency_ms": _latency(row),
    }


def _latency(row: dict[str, Any]) -> LatencyStats:
    """Rounded to a microsecond: interpolation leaves digits such as 251.04999999999998."""
    p50, p90, p95, p99 = (round(value, 3) for value in row["latency_quantiles_ms"])
    return LatencyStats(
        mean=round(row["latency_sum_ms"] / row["events"], 3),
        p50=p50,
        p90=p90,
        p95=p95,
        p99=p99,
        max=float(row["latency_max_ms"]),
    )
