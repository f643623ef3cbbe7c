"""From rows to the report, and the published schema."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickpulse.errors import ConfigurationError
from clickpulse.events import EventType
from clickpulse.reports import Completeness, PartitionProgress, Report
from clickpulse.storage import Storage, spark_url
from clickpulse.windows import MinuteWindow
from spark.detection import BaselineMinute
from spark.failures import explained
from spark.report import build_report
from spark.report_job import JobInputs, _inputs
from spark.schema_file import SCHEMA_FILE, schema_text
from spark.summary import MinuteSummary

WINDOW = MinuteWindow.parse("2026-11-22T10:05Z")
COMPLETE = Completeness(
    complete=True,
    reason="complete",
    partitions=[PartitionProgress(partition=0, target_offset=5, committed_offset=9)],
)


def row(events: int, codes: dict[int, int]) -> dict[str, Any]:
    """One row of `minute_summary.sql`."""
    errors = sum(codes.values())
    return {
        "events": events,
        "successes": events - errors,
        "errors": errors,
        "error_codes": [{"code": code, "events": count} for code, count in codes.items()],
        "latency_sum_ms": 100 * events,
        "latency_max_ms": 900,
        "latency_quantiles_ms": [90.0, 180.00000000000003, 251.04999999999998, 400.5],
    }


def build(summary: MinuteSummary, baseline: list[BaselineMinute] | None = None) -> Report:
    return build_report(WINDOW, summary, baseline or [], completeness=COMPLETE, inputs=("e", "b"))


SUMMARY = MinuteSummary(
    by_event_type={EventType.PAYMENT: row(40, {503: 3, 429: 1}), EventType.SEARCH: row(60, {})},
    total=row(100, {503: 3, 429: 1}),
    users=12,
    sessions=15,
)


def test_counts_rates_codes_and_latencies() -> None:
    report = build(SUMMARY)
    payment = report.by_event_type[EventType.PAYMENT]
    assert (payment.events, payment.successes, payment.errors) == (40, 36, 4)
    assert (payment.success_rate, payment.error_rate) == (0.9, 0.1)
    assert payment.error_codes == {"429": 1, "503": 3}
    assert payment.latency_ms is not None
    assert (payment.latency_ms.mean, payment.latency_ms.p90, payment.latency_ms.p95) == (100.0, 180.0, 251.05)
    assert report.by_event_type[EventType.CHECKOUT].events == 0
    assert report.by_event_type[EventType.CHECKOUT].error_rate is None
    assert (report.totals.events, report.totals.users, report.totals.sessions) == (100, 12, 15)


@given(st.permutations([503, 429, 500, 502]))
def test_order_of_rows_does_not_change_the_bytes(codes: list[int]) -> None:
    counts = {503: 3, 429: 1, 500: 2, 502: 5}
    rows = {code: counts[code] for code in codes}
    by_type = {kind: row(20, rows) for kind in sorted(EventType, key=lambda kind: codes[len(kind) % 4])}
    summary = MinuteSummary(by_type, row(100, {code: 5 * count for code, count in rows.items()}), 1, 1)
    plain = MinuteSummary(
        {kind: row(20, counts) for kind in EventType},
        row(100, {code: 5 * count for code, count in counts.items()}),
        1,
        1,
    )
    baseline = [
        BaselineMinute(WINDOW.start - timedelta(minutes=ago), kind, 20, 1, 240.0)
        for ago in range(1, 9)
        for kind in EventType
    ]
    assert build(summary, baseline).canonical_json() == build(plain, baseline[::-1]).canonical_json()


def test_published_schema_is_up_to_date() -> None:
    assert SCHEMA_FILE.read_text() == schema_text(), "run: python -m spark.schema_file"


def test_reports_are_valid_by_the_published_schema() -> None:
    schema = json.loads(SCHEMA_FILE.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for report in (build(SUMMARY), build(MinuteSummary())):
        document = json.loads(report.canonical_json()) | {"timings": None}
        assert list(validator.iter_errors(document)) == []
        assert list(validator.iter_errors(document | {"complete": "yes"}))


def test_locations() -> None:
    assert spark_url("s3://bucket/a/b.parquet") == "s3a://bucket/a/b.parquet"
    assert spark_url("hdfs://name/b.parquet") == "hdfs://name/b.parquet"
    assert spark_url("/data/a b.parquet") == "file:///data/a b.parquet"


def test_files_are_written_whole_and_read_back(tmp_path: Any) -> None:
    storage, target = Storage(), tmp_path / "deep" / "report.json"
    storage.write(str(target), b"one")
    storage.write(target.as_uri(), b"two")
    assert storage.read(str(target)) == b"two"
    assert [path.name for path in target.parent.iterdir()] == ["report.json"]
    with pytest.raises(ConfigurationError, match=r"gone\.json is not there"):
        storage.read(str(tmp_path / "gone.json"))
    with pytest.raises(ConfigurationError, match="only s3://"):
        storage.write("ftp://host/report.json", b"")
    with pytest.raises(ConfigurationError, match="s3://bucket/key"):
        storage.read("s3://bucket")


def test_files_are_given_all_or_none() -> None:
    from clickpulse.objects import WindowObjects

    objects = WindowObjects(WINDOW)
    assert _inputs(objects, "e", "b", "o") == JobInputs("e", "b", "o", names=("e", "b"))
    with pytest.raises(ConfigurationError, match="all of --events, --baseline and --out"):
        _inputs(objects, "e", None, None)


def test_spark_errors_tell_the_cause() -> None:
    from pyspark.errors import PySparkException

    refused = PySparkException('<_InactiveRpcError of RPC:\n\tdetails = "Connection refused"\n>')
    assert str(explained(refused, "no session")) == "no session: Connection refused"
    missing = PySparkException("[PATH_NOT_FOUND] Path does not exist: file:/x\n\nJVM stacktrace:\n")
    error = explained(missing, "reading")
    assert isinstance(error, ConfigurationError)
    assert "file:/x" in str(error)
