"""How long after its minute's end a report passed each stage."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from clickpulse.reports import Timings
from clickpulse.stored_reports import StoredReport


@dataclass(frozen=True)
class Stage:
    """One stage. `ended` and `took` are seconds, `ended` counted from the minute's end; None: not known."""

    key: str
    label: str
    ended: float | None
    took: float | None


def stages(report: StoredReport) -> list[Stage]:
    """The stages in order; a stage whose time is not given has none."""
    timings = report.timings or Timings()
    times: list[tuple[str, str, datetime | None]] = [
        ("awaited", "Every event stored", timings.awaited_at),
        ("exported", "Minute exported to S3", timings.exported_at),
        ("detected", "Counted and compared by Spark", timings.detected_at),
        ("published", "Sent to the report API", timings.published_at),
        ("received", "Readable", report.received_at),
    ]
    found = []
    before: datetime | None = report.window_end
    for key, label, moment in times:
        ended = (moment - report.window_end).total_seconds() if moment else None
        took = (moment - before).total_seconds() if moment and before else None
        found.append(Stage(key, label, ended, took))
        before = moment or before
    return found
