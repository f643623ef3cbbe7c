"""The steps of a report run: settings to clients to plain functions.

Between the steps only small JSON travels (XCom): which revisions, and when each step ended. Data stays in S3.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from clickpulse.clients import clickhouse_client, report_writer
from clickpulse.completeness import await_window, kafka_offsets
from clickpulse.errors import ConfigurationError
from clickpulse.objects import WindowObjects
from clickpulse.reports import Report, Timings
from clickpulse.revisions import Revision, from_json, to_json
from clickpulse.settings import (
    ClickHouseSettings,
    KafkaSettings,
    ReportSettings,
    ReportWriterSettings,
    S3Settings,
    SinkSettings,
    SparkSettings,
)
from clickpulse.storage import Storage
from clickpulse.windows import MinuteWindow

_THREADS = 8

Batch = dict[str, Any]
"""`revisions` (see `clickpulse.revisions.to_json`) and `timings`, the ends of the steps so far."""


def await_minute(window: str | None, data_interval_start: datetime | None) -> Batch:
    """Wait until the minute is complete, or its time limit is over, and fix its cutoff.

    Args:
        window: the minute asked for by a person, such as `2026-11-22T10:05Z`.
        data_interval_start: of the run, used where `window` is None.
    """
    from clickhouse.manifest import Manifest, fix_manifest

    minute = _minute(window, data_interval_start)
    found = await_window(
        kafka_offsets(KafkaSettings.load_for("report"), SinkSettings.load()), minute, ReportSettings.load()
    )
    revision = Revision(minute, 0)
    fix_manifest(S3Settings.load(), Manifest.of(revision.objects, found))
    return batch([revision])


def batch(revisions: Iterable[Revision]) -> Batch:
    """Revisions whose cutoffs are fixed, for the next step."""
    return {"revisions": to_json(revisions), "timings": {"awaited_at": _now()}}


def export(awaited: Batch) -> Batch:
    """Let ClickHouse write the events and baselines of the revisions to S3."""
    from clickhouse.export import ExportRules, export_windows
    from clickhouse.manifest import read_manifest

    s3, clickhouse, settings = S3Settings.load(), ClickHouseSettings.load(), ReportSettings.load()
    new = [revision for revision in from_json(awaited["revisions"]) if revision.scored_from is None]
    with ThreadPoolExecutor(_THREADS) as pool:
        manifests = list(pool.map(lambda revision: read_manifest(s3, revision.objects), new))
    own_events = [manifest for manifest in manifests if manifest.scored_from is None]
    if own_events:
        rules = ExportRules(settings.baseline_minutes, settings.duplicate_minutes)
        client = clickhouse_client(clickhouse)
        try:
            export_windows(client, s3, own_events, rules, endpoint=clickhouse.s3_endpoint)
        finally:
            client.close()
    return _ended(awaited, "exported_at")


def detect(exported: Batch) -> Batch:
    """Make the reports on the Spark Connect server and write them to S3."""
    from spark.revisions_job import make_reports
    from spark.session import connect_session

    make_reports(
        S3Settings.load(),
        from_json(exported["revisions"]),
        lambda: connect_session(SparkSettings.load(), datetime.now(UTC)),
    )
    return detected(exported)


def detected(exported: Batch) -> Batch:
    """What `publish` needs of reports that are in S3, however they were made."""
    return _ended(exported, "detected_at")


def publish(detected: Batch) -> dict[str, int]:
    """Post the reports, with the times of the steps, to the report API; how many were new there, and were not."""
    from clickpulse.publish import PublishResult, publish_reports

    s3 = S3Settings.load()
    storage = Storage(s3)
    with ThreadPoolExecutor(_THREADS) as pool:
        found = pool.map(lambda revision: _report(storage, s3.bucket, revision), from_json(detected["revisions"]))
    timings = Timings(**detected["timings"], published_at=datetime.now(UTC))
    reports = [report.model_copy(update={"timings": timings}) for report in found if report is not None]
    with report_writer(ReportWriterSettings.load()) as client:
        results = publish_reports(client, reports)
    return {str(result): results.count(result) for result in PublishResult}


def _report(storage: Storage, bucket: str, revision: Revision) -> Report | None:
    """The report in S3; None where scoring anew gave nothing new."""
    location = f"s3a://{bucket}/{WindowObjects(revision.window, revision.number).report}"
    if revision.scored_from is not None and not storage.exists(location):
        return None
    return Report.model_validate_json(storage.read(location))


def _minute(window: str | None, data_interval_start: datetime | None) -> MinuteWindow:
    if window:
        return MinuteWindow.parse(window)
    if data_interval_start is None:
        raise ConfigurationError("the run has no data interval: trigger it with the parameter window")
    return MinuteWindow.containing(data_interval_start)


def _ended(before: Batch, step: str) -> Batch:
    return before | {"timings": before["timings"] | {step: _now()}}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
