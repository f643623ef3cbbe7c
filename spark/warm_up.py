"""Let a fresh Spark Connect server do the report job on made-up minutes: `python -m spark.warm_up`.

The first job on a fresh server takes some 10 s, as it loads classes and compiles; the tenth well under one. Run
this before the server has to be quick.
"""

from __future__ import annotations

import io
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from clickpulse.clients import s3_client
from clickpulse.errors import ClickpulseError
from clickpulse.events import EventType
from clickpulse.objects import WindowObjects
from clickpulse.settings import S3Settings, SparkSettings
from clickpulse.windows import MinuteWindow
from spark.report_job import UNCHECKED, JobInputs, run_report_job
from spark.session import connect_session

if TYPE_CHECKING:
    import pyarrow as pa

WINDOW = MinuteWindow.parse("2000-01-01T00:00Z")
EVENTS = 30_000
BASELINE_MINUTES = 60
ROUNDS = 10
PREFIX = "warm-up"


def warm_up(spark_settings: SparkSettings, s3: S3Settings, *, rounds: int = ROUNDS) -> list[float]:
    """Run the job `rounds` times on the same made-up minute; returns the seconds each took.

    Its objects are left in the bucket under `warm-up/`, where no report is looked for.

    Raises:
        TransientError: Spark or S3 doesn't answer.
    """
    events, baseline, report = (f"{PREFIX}/{name}" for name in ("events.parquet", "baseline.parquet", "report.json"))
    client = s3_client(s3)
    for key, table in ((events, _events()), (baseline, _baseline())):
        content = _parquet(table)
        client.put_object(s3.bucket, key, io.BytesIO(content), len(content))
    bucket = f"s3a://{s3.bucket}"
    inputs = JobInputs(f"{bucket}/{events}", f"{bucket}/{baseline}", f"{bucket}/{report}", names=(events, baseline))
    seconds = []
    for _ in range(rounds):
        began = time.monotonic()
        spark = connect_session(spark_settings, datetime.now(UTC))
        run_report_job(spark, WindowObjects(WINDOW), inputs, UNCHECKED)
        seconds.append(round(time.monotonic() - began, 3))
    return seconds


def _events() -> pa.Table:
    import pyarrow as pa

    numbers = range(EVENTS)
    kinds = list(EventType)
    failed = [number % 40 == 0 for number in numbers]
    columns: dict[str, Any] = {
        "user_id": pa.array([(number // 12).to_bytes(16, "big") for number in numbers], pa.binary(16)),
        "session_id": pa.array([(number // 8).to_bytes(16, "big") for number in numbers], pa.binary(16)),
        "event_type": pa.array([kinds[number % len(kinds)] for number in numbers], pa.string()),
        "event_timestamp": pa.array([_moment(number) for number in numbers], pa.timestamp("ms", "UTC")),
        "request_latency_ms": pa.array([20 + number * 7919 % 1500 for number in numbers], pa.uint32()),
        "status": pa.array(["ERROR" if error else "SUCCESS" for error in failed], pa.string()),
        "error_code": pa.array([500 + number % 4 if failed[number] else None for number in numbers], pa.uint16()),
    }
    return pa.table(columns)


def _baseline() -> pa.Table:
    import pyarrow as pa

    rows = [(ago, kind) for ago in range(1, BASELINE_MINUTES + 1) for kind in EventType]
    columns: dict[str, Any] = {
        "minute": pa.array([WINDOW.start - timedelta(minutes=ago) for ago, _ in rows], pa.timestamp("ms", "UTC")),
        "event_type": pa.array([kind.value for _, kind in rows], pa.string()),
        "events": pa.array([EVENTS // 5] * len(rows), pa.uint64()),
        "errors": pa.array([EVENTS // 200] * len(rows), pa.uint64()),
        "latency_p95_ms": pa.array([1400.0 + ago for ago, _ in rows], pa.float64()),
    }
    return pa.table(columns)


def _moment(number: int) -> datetime:
    return WINDOW.start + timedelta(milliseconds=number * 60_000 // EVENTS)


def _parquet(table: pa.Table) -> bytes:
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


if __name__ == "__main__":
    try:
        sys.stdout.write(f"seconds: {' '.join(map(str, warm_up(SparkSettings.load(), S3Settings.load())))}\n")
    except ClickpulseError as failure:
        sys.exit(f"error: {failure}")
