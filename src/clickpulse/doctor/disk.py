"""The disk under CLICKPULSE_HOME: what is free, and for how long."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from clickpulse.doctor.model import Finding, Holding, Part, days, size
from clickpulse.doctor.settings import DoctorSettings

TITLE = "Disk"
_MB = 1024**2


def examine(home: Path, grown: Mapping[str, int | None], limits: DoctorSettings) -> Part:
    """Free space, and a forecast from what each part brought in the last day, as if nothing expired.

    Args:
        home: a folder on the disk; its nearest parent that exists is looked at.
        grown: bytes of the last day by part; None where a part could not tell.
        limits: from when on a hand is needed.
    """
    folder = next(one for one in (home, *home.parents) if one.exists())
    free = shutil.disk_usage(folder).free
    growth = sum(one for one in grown.values() if one is not None)
    left = free / growth if growth else None
    unknown = sorted(name for name, one in grown.items() if one is None)
    forecast = f"full in {days(round(left, 1))} at the last day's {size(growth)}" if left else "not growing"
    forecast += f", without {', '.join(unknown)}" if unknown else ""
    findings = []
    if free < limits.min_free_mb * _MB:
        findings.append(
            Finding(
                f"{free // _MB:,} MB are free in {folder}, less than DOCTOR_MIN_FREE_MB={limits.min_free_mb}",
                "free disk, or keep less: KAFKA_RETENTION_BYTES, CLICKHOUSE_EVENT_TTL_DAYS, "
                "REPORT_MINUTES_RETENTION_DAYS, REPORT_AIRFLOW_LOGS_RETENTION_DAYS",
            )
        )
    elif left is not None and left < limits.min_days_left:
        largest = max(grown, key=lambda name: grown[name] or 0)
        findings.append(
            Finding(
                f"{folder} is full in {days(round(left, 1))} at the growth of the last day, most of it {largest}",
                "free disk, or keep less; `kept` says which limit each part has",
            )
        )
    return Part("disk", TITLE, [Holding(f"free in {folder}", "", None, free, kept=forecast)], findings)
