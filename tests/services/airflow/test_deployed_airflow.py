"""Airflow as it is deployed, through its API: every component lives, the DAG is there, and a task reaches a worker.

What the DAG's tasks need (Kafka, ClickHouse, Spark…) need not run: a task then waits for its next attempt.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from dotenv import dotenv_values

from clickpulse.settings import DashboardSettings, creds_dir
from clickpulse.windows import MinuteWindow
from tests.support import wait_for

DAG = "minutely_report"
ATTEMPTED = {"success", "failed", "up_for_retry"}
HEARTBEAT_SECONDS = 60
WORKER_SECONDS = 240
"""The first attempt may wait as long as its service's client does for a service that is not there."""


@pytest.fixture(scope="module")
def airflow(stack: Path) -> Iterator[httpx.Client]:
    """Airflow's API, signed in."""
    del stack
    with httpx.Client(base_url=DashboardSettings.load().airflow_url, timeout=30) as client:
        password = dotenv_values(creds_dir() / "airflow.creds")["AIRFLOW_ADMIN_PASSWORD"]
        answer = client.post("/auth/token", json={"username": "admin", "password": password})
        assert answer.status_code == 201, answer.text
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield client


@pytest.fixture
def run(airflow: httpx.Client) -> Iterator[str]:
    """The address of a run for a minute long ago; it is ended afterwards."""
    window = MinuteWindow(
        datetime(1985, 1, 1, tzinfo=UTC) + timedelta(minutes=random.SystemRandom().randrange(2_000_000))
    )
    body = {"logical_date": datetime.now(UTC).isoformat(), "conf": {"window": str(window)}}
    answer = airflow.post(f"/api/v2/dags/{DAG}/dagRuns", json=body)
    assert answer.status_code == 200, answer.text
    address = f"/api/v2/dags/{DAG}/dagRuns/{answer.json()['dag_run_id']}"
    yield address
    if airflow.get(address).json()["state"] not in {"success", "failed"}:
        airflow.patch(address, json={"state": "failed"}).raise_for_status()


def test_every_component_is_healthy(airflow: httpx.Client) -> None:
    def healthy() -> bool:
        health = airflow.get("/api/v2/monitor/health").json()
        return all(health[name]["status"] == "healthy" for name in ("metadatabase", "scheduler", "dag_processor"))

    wait_for(healthy, seconds=HEARTBEAT_SECONDS, what="a heartbeat of every component")


def test_the_dag_is_there_without_errors(airflow: httpx.Client) -> None:
    errors = airflow.get("/api/v2/importErrors").json()
    assert errors["total_entries"] == 0, errors
    found = airflow.get(f"/api/v2/dags/{DAG}").json()
    assert (found["is_paused"], found["timetable_summary"]) == (False, "* * * * *")


def test_a_wrong_password_is_refused(airflow: httpx.Client) -> None:
    answer = airflow.post("/auth/token", json={"username": "admin", "password": "wrong"}, headers={"Authorization": ""})
    assert answer.status_code == 401


def test_a_task_reaches_a_worker_and_its_log_can_be_read(airflow: httpx.Client, run: str) -> None:
    task = f"{run}/taskInstances/await_minute"

    def attempted() -> dict[str, Any] | None:
        state: dict[str, Any] = airflow.get(task).json()
        return state if state["state"] in ATTEMPTED else None

    found = wait_for(attempted, seconds=WORKER_SECONDS, what=f"an attempt of {task}")
    assert found["hostname"]
    assert found["try_number"] >= 1
    log = airflow.get(f"{task}/logs/1", headers={"Accept": "application/json"}).json()
    text = " ".join(str(line.get("event", line)) for line in log["content"])
    assert "Could not read served logs" not in text
    assert "await_minute" in text or "clickpulse" in text, text[:2000]
