"""The four steps of a report run: settings to clients to plain functions.

Between the steps only small JSON travels (XCom): the window, offsets, times. Data stays in S3.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from clickpulse.clients import clickhouse_client, report_writer
from clickpulse.completeness import WindowCompleteness, await_window, kafka_offsets
from clickpulse.errors import ConfigurationError
from clickpulse.objects import WindowObjects
from clickpulse.reports import Report, Timings
from clickpulse.settings import (
    ClickHouseSettings,
    KafkaSettings,
    ReportSettings,
    ReportWriterSettings,
    S3Settings,
    SinkSettings,
    SparkSettings,
)
from clickpulse.windows import MinuteWindow


def await_minute(window: str | None, data_interval_start: datetime | None) -> dict[str, Any]:
    """Wait until the minute is complete, or its time limit is over.

    Args:
        window: the minute asked for by a person, such as `2026-11-22T10:05Z`.
        data_interval_start: of the run, used where `window` is None.
    """
    minute = _minute(window, data_interval_start)
    found = await_window(
        kafka_offsets(KafkaSettings.load_for("report"), SinkSettings.load()), minute, ReportSettings.load()
    )
    return {"window": str(minute), "completeness": asdict(found), "timings": {"awaited_at": _now()}}


def export(awaited: dict[str, Any]) -> dict[str, Any]:
    """Fix the cutoff of the minute's revision and let ClickHouse write its Parquet."""
    from clickhouse.export import export_window
    from clickhouse.manifest import fix_cutoff

    objects = WindowObjects(MinuteWindow.parse(awaited["window"]))
    s3 = S3Settings.load()
    manifest = fix_cutoff(s3, objects, _completeness(awaited["completeness"]))
    clickhouse = ClickHouseSettings.load()
    client = clickhouse_client(clickhouse)
    try:
        export_window(
            client,
            s3,
            objects,
            manifest.cutoff,
            baseline_minutes=ReportSettings.load().baseline_minutes,
            endpoint=clickhouse.s3_endpoint,
        )
    finally:
        client.close()
    return {
        "window": awaited["window"],
        "revision": objects.revision,
        "completeness": manifest.completeness.model_dump(mode="json"),
        "timings": awaited["timings"] | {"exported_at": _now()},
    }


def detect(exported: dict[str, Any]) -> dict[str, Any]:
    """Make the report on the Spark Connect server and write it to S3."""
    from clickpulse.reports import Completeness
    from spark.report_job import JobInputs, run_report_job
    from spark.session import connect_session

    objects = WindowObjects(MinuteWindow.parse(exported["window"]), exported["revision"])
    spark = connect_session(SparkSettings.load(), datetime.now(UTC))
    inputs = JobInputs.in_bucket(objects, S3Settings.load().bucket)
    run_report_job(spark, objects, inputs, Completeness.model_validate(exported["completeness"]))
    return detected(exported, objects)


def detected(exported: dict[str, Any], objects: WindowObjects) -> dict[str, Any]:
    """What `publish` needs of a report that is in S3, however it was made."""
    report = f"s3a://{S3Settings.load().bucket}/{objects.report}"
    return {"report": report, "timings": exported["timings"] | {"detected_at": _now()}}


def publish(detected: dict[str, Any]) -> str:
    """Post the report, with the times of its stages, to the report API."""
    from clickpulse.publish import publish_report
    from spark.storage import read_bytes

    report = Report.model_validate_json(read_bytes(detected["report"]))
    timed = report.model_copy(update={"timings": Timings(**detected["timings"], published_at=datetime.now(UTC))})
    with report_writer(ReportWriterSettings.load()) as client:
        return publish_report(client, timed).value


def _minute(window: str | None, data_interval_start: datetime | None) -> MinuteWindow:
    if window:
        return MinuteWindow.parse(window)
    if data_interval_start is None:
        raise ConfigurationError("the run has no data interval: trigger it with the parameter window")
    return MinuteWindow.containing(data_interval_start)


def _completeness(found: dict[str, Any]) -> WindowCompleteness:
    """From XCom's JSON, where the partitions' numbers have become strings."""
    offsets = ("targets", "cutoff", "committed")
    numbered = {name: {int(number): offset for number, offset in found[name].items()} for name in offsets}
    return WindowCompleteness(**{**found, **numbered})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
