"""The DAG in the stack's Airflow: runs for windows of the test's own, from Kafka to the report API."""

from __future__ import annotations

import io
import json
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from dotenv import dotenv_values
from fastavro import parse_schema, schemaless_reader

from bench.bulk import encoder_for, pregenerate, send
from clickpulse.clients import report_reader, s3_client
from clickpulse.objects import WindowObjects
from clickpulse.settings import (
    PROJECT_ROOT,
    DashboardSettings,
    KafkaSettings,
    ReportReaderSettings,
    S3Settings,
    creds_dir,
)
from clickpulse.windows import MinuteWindow, minutes_between
from tests.support import wait_for

DAG = "minutely_report"
RUN_SECONDS = 180
SCHEMA = parse_schema(json.loads((PROJECT_ROOT / "producer" / "schemas" / "user_interaction.avsc").read_text()))


@pytest.fixture(scope="module")
def airflow(stack: Path) -> httpx.Client:
    """Airflow's API, signed in."""
    del stack
    client = httpx.Client(base_url=DashboardSettings.load().airflow_url, timeout=30)
    password = dotenv_values(creds_dir() / "airflow.creds")["AIRFLOW_ADMIN_PASSWORD"]
    answer = client.post("/auth/token", json={"username": "admin", "password": password})
    assert answer.status_code == 201, answer.text
    client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    return client


@pytest.fixture
def window() -> MinuteWindow:
    """A minute long ago that no other test uses."""
    return MinuteWindow(
        datetime(1990, 1, 1, tzinfo=UTC) + timedelta(minutes=random.SystemRandom().randrange(5_000_000))
    )


def run(airflow: httpx.Client, window: MinuteWindow) -> dict[str, Any]:
    """Trigger a run for `window` and wait for its end."""
    body = {"logical_date": datetime.now(UTC).isoformat(), "conf": {"window": str(window)}}
    answer = airflow.post(f"/api/v2/dags/{DAG}/dagRuns", json=body)
    assert answer.status_code == 200, answer.text
    address = f"/api/v2/dags/{DAG}/dagRuns/{answer.json()['dag_run_id']}"

    def ended() -> dict[str, Any] | None:
        state: dict[str, Any] = airflow.get(address).json()
        return state if state["state"] in {"success", "failed"} else None

    found = wait_for(ended, seconds=RUN_SECONDS, what=f"the end of {address}")
    tasks = airflow.get(f"{address}/taskInstances").json()["task_instances"]
    assert found["state"] == "success", {task["task_id"]: task["state"] for task in tasks}
    return found


def served(window: MinuteWindow) -> dict[str, Any]:
    with report_reader(ReportReaderSettings.load()) as client:
        answer = client.get(f"/api/v1/reports/{window}")
    assert answer.status_code == 200, answer.text
    report: dict[str, Any] = answer.json()
    return report


def stored(window: MinuteWindow) -> bytes:
    settings = S3Settings.load()
    with s3_client(settings).get_object(settings.bucket, WindowObjects(window).report) as answer:
        content: bytes = answer.read()
        return content


def test_report_of_a_window_counts_what_was_sent(airflow: httpx.Client, window: MinuteWindow) -> None:
    kafka = KafkaSettings.load_for("producer")
    encoder = encoder_for(kafka)
    serialized = pregenerate(window, 900, encoder)
    send(kafka, encoder, serialized)
    events = [schemaless_reader(io.BytesIO(message.value[5:]), SCHEMA, None) for message in serialized]

    run(airflow, window)

    report = served(window)
    assert (report["complete"], report["revision"]) == (True, 0)
    assert report["totals"]["events"] == len(events)
    assert report["totals"]["users"] == len({event["user_id"] for event in events})
    assert report["totals"]["sessions"] == len({event["session_id"] for event in events})
    sent = Counter(event["event_type"] for event in events)
    errors = Counter(event["event_type"] for event in events if event["status"] == "ERROR")
    for name, stats in report["by_event_type"].items():
        assert (stats["events"], stats["errors"]) == (sent[name], errors[name]), name
    times = [report["timings"][stage] for stage in ("awaited_at", "exported_at", "detected_at", "published_at")]
    assert times == sorted(times)

    before = stored(window)
    send(kafka, encoder, pregenerate(window, 300, encoder))  # late: not part of the revision that is fixed
    run(airflow, window)
    assert stored(window) == before
    assert served(window)["totals"]["events"] == len(events)


def test_a_minute_without_events_says_so(airflow: httpx.Client, window: MinuteWindow) -> None:
    run(airflow, window)
    report = served(window)
    assert (report["complete"], report["totals"]["events"], report["anomalies"]) == (True, 0, [])
    assert {stats["events"] for stats in report["by_event_type"].values()} == {0}


def test_a_minute_has_one_scheduled_run_at_most_and_a_report_in_any_case(airflow: httpx.Client) -> None:
    def two_runs() -> list[dict[str, Any]] | None:
        query = {"run_type": "scheduled", "order_by": "-run_after", "limit": 20}
        runs: list[dict[str, Any]] = airflow.get(f"/api/v2/dags/{DAG}/dagRuns", params=query).json()["dag_runs"]
        return runs if len(runs) >= 2 else None

    runs = wait_for(two_runs, seconds=180, what="two scheduled runs")
    starts = sorted(datetime.fromisoformat(found["data_interval_start"]) for found in runs)
    ends = sorted(datetime.fromisoformat(found["data_interval_end"]) for found in runs)
    assert [end - start for start, end in zip(starts, ends, strict=True)] == [timedelta(minutes=1)] * len(runs)
    assert len(set(starts)) == len(starts)

    # A minute at whose end Airflow was away has no run of this DAG: `report_revisions` makes its report.
    with report_reader(ReportReaderSettings.load()) as api:
        for minute in minutes_between(MinuteWindow(starts[0]), MinuteWindow(starts[-1])):
            path = f"/api/v1/reports/{minute}"
            wait_for(lambda path=path: api.get(path).is_success, seconds=RUN_SECONDS, what=f"the report of {minute}")
