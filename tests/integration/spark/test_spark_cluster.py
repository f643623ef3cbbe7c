"""The report job on a standalone cluster: through its Connect server, and by the operator's `spark-submit`."""

from __future__ import annotations

import os
import sys
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any, Self

import httpx
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from clickhouse.manifest import Manifest
from clickpulse.clients import s3_client
from clickpulse.errors import ConfigurationError
from clickpulse.events import EventType
from clickpulse.objects import WindowObjects
from clickpulse.reports import Completeness, Report
from clickpulse.revisions import Revision, to_json
from clickpulse.settings import S3Settings, SparkSettings
from clickpulse.windows import MinuteWindow
from spark.health import problem
from spark.report_job import JobInputs, run_report_job
from spark.session import connect_session
from spark.settings import SparkSecrets
from tests.support import running, wait_for

if TYPE_CHECKING:
    from conftest import Cluster

WINDOW = MinuteWindow.parse("2031-03-04T05:06Z")
EVENTS_EACH = 40
COMPLETE = Completeness(complete=True, reason="the sink passed the minute's end in every partition")


def parquet(columns: dict[str, pa.Array]) -> bytes:
    buffer = BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def minute() -> bytes:
    """`EVENTS_EACH` events of each type; event number n takes n ms, and one in ten failed."""
    rows = [(kind, number) for kind in EventType for number in range(EVENTS_EACH)]
    failed = [number % 10 == 0 for _, number in rows]
    return parquet(
        {
            "user_id": pa.array([number.to_bytes(16, "big") for _, number in rows], pa.binary(16)),
            "session_id": pa.array([number.to_bytes(16, "big") for _, number in rows], pa.binary(16)),
            "event_type": pa.array([kind.value for kind, _ in rows], pa.string()),
            "event_timestamp": pa.array(
                [WINDOW.start + timedelta(seconds=number) for _, number in rows], pa.timestamp("ms", "UTC")
            ),
            "request_latency_ms": pa.array([number for _, number in rows], pa.uint32()),
            "status": pa.array(["ERROR" if each else "SUCCESS" for each in failed], pa.string()),
            "error_code": pa.array([503 if each else None for each in failed], pa.uint16()),
        }
    )


def baseline() -> bytes:
    columns = {"minute": pa.timestamp("ms", "UTC"), "event_type": pa.string(), "events": pa.uint64()}
    columns |= {"successes": pa.uint64(), "errors": pa.uint64()}
    columns |= {"latency_p50_ms": pa.float64(), "latency_p95_ms": pa.float64()}
    return parquet({name: pa.array([], kind) for name, kind in columns.items()})


@pytest.fixture
def exported(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A bucket with what the step `export` leaves there; the settings name it and the cluster."""
    for name, value in cluster.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("S3_BUCKET", f"cluster-{uuid.uuid4().hex[:8]}")
    settings = S3Settings.load()
    client = s3_client(settings)
    client.make_bucket(settings.bucket)
    objects = WindowObjects(WINDOW, revision=2)
    manifest = Manifest(window=str(WINDOW), revision=2, cutoff={0: 200}, completeness=COMPLETE)
    contents = {
        objects.events: minute(),
        objects.baseline: baseline(),
        objects.manifest: manifest.model_dump_json().encode(),
    }
    for key, content in contents.items():
        client.put_object(settings.bucket, key, BytesIO(content), len(content))
    yield {"revisions": to_json([Revision(WINDOW, 2)]), "timings": {"awaited_at": "2031-03-04T05:07:01Z"}}
    for found in client.list_objects(settings.bucket, recursive=True):
        client.remove_object(settings.bucket, str(found.object_name))
    client.remove_bucket(settings.bucket)


def stored() -> bytes:
    settings = S3Settings.load()
    with s3_client(settings).get_object(settings.bucket, WindowObjects(WINDOW, 2).report) as answer:
        content: bytes = answer.read()
        return content


class Watch:
    """Looks at the arguments of every process below this one and below the cluster's, while a block runs."""

    def __init__(self, cluster: Cluster) -> None:
        self._roots = [psutil.Process(), *cluster.processes.values()]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.seen: set[str] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.5):
            for root in self._roots:
                for process in (root, *root.children(recursive=True)):
                    try:
                        self.seen.add(" ".join(process.cmdline()))
                    except psutil.NoSuchProcess:
                        continue


def secrets() -> set[str]:
    s3 = S3Settings.load()
    shared = SparkSecrets.load().authenticate_secret
    assert shared is not None
    return {s3.access_key, s3.secret_key.get_secret_value(), shared.get_secret_value()}


def test_both_ways_make_the_same_report_on_the_cluster(
    cluster: Cluster, exported: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from clickpulse.airflow.submit_operator import SubmitReportJob

    objects = WindowObjects(WINDOW, revision=2)
    with Watch(cluster) as watch:
        session = connect_session(SparkSettings.load(), datetime.now(UTC))
        run_report_job(session, objects, JobInputs.in_bucket(objects, S3Settings.load().bucket), COMPLETE)
        session.stop()
        connected = stored()
        s3_client(S3Settings.load()).remove_object(S3Settings.load().bucket, objects.report)
        for name in ("SPARK_CONNECT_MODE_ENABLED", "SPARK_REMOTE"):  # PySpark's client left them in this process
            monkeypatch.delenv(name, raising=False)
        result = SubmitReportJob(task_id="detect", exported=exported).execute({})
        submitted = stored()

    report = Report.model_validate_json(connected)
    assert (report.totals.events, report.totals.users, report.inputs.rows) == (200, EVENTS_EACH, 200)
    for stats in report.by_event_type.values():
        assert (stats.events, stats.errors, stats.error_codes) == (EVENTS_EACH, 4, {"503": 4})
        assert stats.latency_ms is not None
        assert (stats.latency_ms.p50, stats.latency_ms.max) == (19.5, EVENTS_EACH - 1)
    assert (report.revision, report.completeness) == (2, COMPLETE)
    assert submitted == connected
    assert result["revisions"] == exported["revisions"]
    assert {"awaited_at", "detected_at"} == set(result["timings"])

    ran = [command for command in watch.seen if "CoarseGrainedExecutorBackend" in command]
    assert {"-Xmx480M"} == {word for command in ran for word in command.split() if word.startswith("-Xmx")}
    assert len({command.split("--app-id ")[1].split()[0] for command in ran}) == 2
    assert any("SparkSubmit" in command and "submit.py" in command for command in watch.seen)
    assert not [command for command in watch.seen for secret in secrets() if secret in command]


def test_event_logs_are_kept_without_secrets(cluster: Cluster, exported: dict[str, Any]) -> None:
    del exported
    logs = list(cluster.events.glob("eventlog_v2_*/events_*"))
    texts = [
        zstandard.ZstdDecompressor().stream_reader(log.read_bytes(), read_across_frames=True).read().decode()
        for log in logs
    ]
    assert len(texts) == 2
    assert all('"SparkListenerJobEnd"' in text for text in texts)
    assert not [secret for text in texts for secret in secrets() if secret in text]
    for log in cluster.folder.glob("*.log"):
        assert not [secret for secret in secrets() if secret in log.read_text()]


def test_the_history_server_shows_both_jobs(cluster: Cluster, exported: dict[str, Any]) -> None:
    del exported
    history = [sys.executable, "-m", "spark.cluster", "history"]
    url = f"http://127.0.0.1:{cluster.variables['SPARK_HISTORY_PORT']}/api/v1/applications"
    with running(history, os.environ, cluster.folder / "history.log"):
        wait_for(lambda: problem("history") is None, seconds=60, what="the history server")
        found = httpx.get(url).json()
    assert {application["name"] for application in found} == {"clickpulse", "clickpulse 2031-03-04T05:06Z revision 2"}


def test_properties_are_their_owners_alone(cluster: Cluster) -> None:
    files = list(cluster.folder.glob("*.properties"))
    assert {file.stem for file in files} == {"master", "worker", "connect", "history"}
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_a_submitted_job_says_what_is_missing(exported: dict[str, Any]) -> None:
    from clickpulse.airflow.submit_operator import SubmitReportJob

    missing = exported | {"revisions": to_json([Revision(MinuteWindow.parse("2031-03-04T05:07Z"), 2)])}
    with pytest.raises(ConfigurationError, match=r"minute=07/rev=2/manifest\.json is not there"):
        SubmitReportJob(task_id="detect", exported=missing).execute({})
