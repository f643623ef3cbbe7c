"""What the DAG `retention` runs: settings to clients to plain functions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from clickpulse.clients import report_reader, report_writer
from clickpulse.report_calls import EXPIRE, call
from clickpulse.retention.bucket import Bucket
from clickpulse.retention.expire import CountingRevisions, expire_objects
from clickpulse.retention.logs import remove_logs
from clickpulse.retention.plan import Counting
from clickpulse.retention.settings import RetentionSettings
from clickpulse.settings import ClickHouseSettings, ReportReaderSettings, ReportWriterSettings, S3Settings
from clickpulse.stored_reports import Expiry, report_summaries
from clickpulse.windows import MinuteWindow

MOST_CALLS = 1000
"""Of the report API, which expires some minutes at a time; what is left is the next run's."""


def expire_everything(log_folder: Path) -> dict[str, Any]:
    """Delete what the settings keep no longer; how much it was.

    Args:
        log_folder: Airflow's `[logging] base_log_folder`.

    Raises:
        ConfigurationError: the settings don't fit together, or a service refuses.
        TransientError: a service does not answer; what is deleted by then stays so, and a repetition goes on.
    """
    settings = RetentionSettings.load()
    settings.check_events(ClickHouseSettings.load())
    now = datetime.now(UTC)
    with report_reader(ReportReaderSettings.load()) as reader:
        objects = expire_objects(
            Bucket(S3Settings.load()),
            counting_revisions(reader),
            settings.rules(),
            now,
            most=settings.retention_max_objects,
        )
    with report_writer(ReportWriterSettings.load()) as writer:
        reports = expire_reports(writer)
    logs = remove_logs(log_folder, now - timedelta(days=settings.airflow_logs_retention_days))
    return {
        "objects": dict(objects.objects),
        "bytes": dict(objects.bytes),
        "more_objects": objects.more,
        "stored_reports": reports,
        "log_folders": logs,
    }


def counting_revisions(reader: httpx.Client) -> CountingRevisions:
    """The revisions that count, from the report API."""

    def ask(start: datetime, end: datetime) -> dict[MinuteWindow, Counting]:
        found = report_summaries(reader, start, end)
        return {MinuteWindow(one.window): Counting(one.revision, one.received_at) for one in found}

    return ask


def expire_reports(writer: httpx.Client) -> int:
    """Have the report API delete what it keeps no longer, by its own setting; how many revisions it were."""
    removed = 0
    for _ in range(MOST_CALLS):
        answer = Expiry.model_validate_json(call(writer, "POST", EXPIRE, what="expiry of reports").content)
        removed += answer.revisions
        if not answer.more:
            break
    return removed
