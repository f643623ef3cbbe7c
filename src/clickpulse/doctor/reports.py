"""The report API: minutes and revisions, and the size of its table."""

from __future__ import annotations

from datetime import datetime, timedelta

import httpx

from clickpulse.doctor.model import Finding, Holding, Part, days
from clickpulse.report_calls import HOLDINGS, call
from clickpulse.stored_reports import Holdings

TITLE = "Report API"
_DAY = timedelta(days=1)


def examine(client: httpx.Client, now: datetime, *, local: bool, overdue_days: float) -> Part:
    """What the API holds.

    Raises:
        TransientError: the API or its database does not answer.
        ConfigurationError: it refuses.
    """
    found = Holdings.model_validate_json(call(client, "GET", HOLDINGS, what="what there is").content)
    kept = f"{days(found.retention_days)} after the minute and its receipt"
    oldest, newest = found.oldest_window, found.newest_window
    holdings = [
        Holding("minutes", "minutes", found.minutes, None, oldest, newest, kept),
        Holding("revisions", "revisions", found.revisions, found.bytes, oldest, newest, kept),
    ]
    findings = []
    # Both are old: a replay brings old minutes, and they are kept from their receipt on.
    times = [moment for moment in (oldest, found.oldest_received_at) if moment is not None]
    if times and min(now - moment for moment in times) > (found.retention_days + overdue_days) * _DAY:
        age, limit = days(round((now - max(times)) / _DAY)), days(found.retention_days)
        remedy = "see why the DAG `retention` does not run or fails, in Airflow"
        findings.append(Finding(f"there are reports of {age}, and {limit} are kept", remedy))
    grown = found.bytes * found.revisions_last_day // max(found.revisions, 1)
    return Part("reports", TITLE, holdings, findings, grown if local else 0)
