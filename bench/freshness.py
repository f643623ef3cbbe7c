"""Minutes under steady traffic: how soon their reports can be read, and whether the counts are the producer's."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import stamina

from bench.measurements import Figure, percentile
from clickpulse.clients import report_reader
from clickpulse.errors import ClickpulseError, TransientError
from clickpulse.settings import PROJECT_ROOT, ReportReaderSettings
from clickpulse.stored_reports import StoredReport
from clickpulse.windows import MinuteWindow, minutes_between
from local.services.base import python_module

_REPORT_SECONDS = 120


@dataclass(frozen=True)
class Traffic:
    """What the producer had acknowledged, by minute, and the whole minutes of it."""

    acknowledged: dict[str, int]
    first: MinuteWindow
    last: MinuteWindow


def measure(rate: float, minutes: int, say: Callable[[str], None]) -> list[Figure]:
    """Run `minutes` whole minutes at `rate` events a second and read their reports.

    Raises:
        ClickpulseError: a report is missing, or a count differs from what the producer had acknowledged.
    """
    traffic = _produce(rate, minutes, say)
    reports = [_report(window) for window in minutes_between(traffic.first, traffic.last)]
    _compare(reports, traffic)
    fresh = [report.freshness_seconds for report in reports]
    note = f"{len(reports)} minutes at {rate:g} events/s"
    figures = [
        Figure("freshness", "minute's end to readable report, p50", percentile(fresh, 50), "s", "under 3", note),
        Figure("freshness", "minute's end to readable report, p95", percentile(fresh, 95), "s", "under 5", note),
    ]
    return [*figures, *_stages(reports)]


def _produce(rate: float, minutes: int, say: Callable[[str], None]) -> Traffic:
    """Simulate from just before a minute begins to just after the last one ends; both ends are cut off."""
    begin = MinuteWindow.containing(datetime.now(UTC) + timedelta(seconds=65))
    with tempfile.TemporaryDirectory() as folder:
        summary = Path(folder, "summary.json")
        seconds = (begin.start - datetime.now(UTC)).total_seconds() + minutes * 60 + 2
        command = ["simulate", "--rate", f"{rate:g}", "--flat", "--seed", "7", "--quiet"]
        command += ["--duration", f"{seconds:.0f}", "--summary", str(summary)]
        say(f"{minutes} minutes at {rate:g} events/s, from {begin}")
        subprocess.run(python_module("clickpulse", *command), cwd=PROJECT_ROOT, check=True, stdout=subprocess.DEVNULL)
        acknowledged = json.loads(summary.read_text())["acknowledged_per_minute"]
    return Traffic(acknowledged, begin, MinuteWindow(begin.start + timedelta(minutes=minutes - 1)))


@stamina.retry(on=TransientError, attempts=None, timeout=_REPORT_SECONDS, wait_initial=0.5, wait_max=1)
def _report(window: MinuteWindow) -> StoredReport:
    with report_reader(ReportReaderSettings.load(), seconds=5) as client:
        answer = client.get(f"/api/v1/reports/{window}")
    if not answer.is_success:
        raise TransientError(f"no report of {window} after {_REPORT_SECONDS} s: HTTP {answer.status_code}")
    return StoredReport.model_validate_json(answer.content)


def _compare(reports: list[StoredReport], traffic: Traffic) -> None:
    wrong = []
    for report in reports:
        window = str(MinuteWindow(report.window))
        sent = traffic.acknowledged.get(window, 0)
        if report.totals.events != sent or not report.complete:
            wrong.append(f"{window}: {sent} acknowledged, {report.totals.events} reported, complete {report.complete}")
    if wrong:
        raise ClickpulseError("reports differ from what the producer had acknowledged: " + "; ".join(wrong))


def _stages(reports: list[StoredReport]) -> list[Figure]:
    stages: dict[str, list[float]] = {"await": [], "export": [], "detect": [], "publish": []}
    for report in reports:
        timings = report.timings
        if timings is None:
            continue
        ends = (timings.awaited_at, timings.exported_at, timings.detected_at, report.received_at)
        before = report.window_end
        for stage, end in zip(stages, ends, strict=True):
            if end is not None:
                stages[stage].append((end - before).total_seconds())
                before = end
    return [
        Figure("freshness", f"of it: {stage}, p50", percentile(seconds, 50), "s", "", "with the task's start")
        for stage, seconds in stages.items()
        if seconds
    ]
