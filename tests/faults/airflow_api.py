"""Airflow's REST API, as its UI uses it: runs are triggered, cleared and looked at."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import httpx
from dotenv import dotenv_values

from clickpulse.settings import DashboardSettings, creds_dir
from clickpulse.windows import MinuteWindow
from tests.support import wait_for

DAG = "minutely_report"
RUN_SECONDS = 300
_OK = 200
_CREATED = 201
_MARKS = itertools.count()


class Airflow:
    """Signed in as the administrator; use it as a context manager."""

    def __init__(self) -> None:
        self._client = httpx.Client(base_url=DashboardSettings.load().airflow_url, timeout=30, trust_env=False)

    def __enter__(self) -> Self:
        password = dotenv_values(creds_dir() / "airflow.creds")["AIRFLOW_ADMIN_PASSWORD"]
        answer = self._client.post("/auth/token", json={"username": "admin", "password": password})
        assert answer.status_code == _CREATED, answer.text
        self._client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return self

    def __exit__(self, *_exception: object) -> None:
        self._client.close()

    def trigger(self, window: MinuteWindow) -> str:
        """Start a run for the window by hand; returns its id."""
        # Each run by hand has a logical date of its own.
        logical = datetime.now(UTC) + timedelta(milliseconds=next(_MARKS))
        body = {"logical_date": logical.isoformat(), "conf": {"window": str(window)}}
        return str(self._call("POST", f"/api/v2/dags/{DAG}/dagRuns", json=body)["dag_run_id"])

    def scheduled_run(self, window: MinuteWindow) -> str:
        """The id of the run that the schedule made for this minute."""
        query = {"run_type": "scheduled", "order_by": "-run_after", "limit": 30}
        runs = self._call("GET", f"/api/v2/dags/{DAG}/dagRuns", params=query)["dag_runs"]
        begin = window.start
        return next(
            str(run["dag_run_id"]) for run in runs if datetime.fromisoformat(run["data_interval_start"]) == begin
        )

    def clear(self, run: str) -> None:
        """Let every task of a finished run do its work again."""
        body = {"dag_run_id": run, "dry_run": False, "only_failed": False, "reset_dag_runs": True}
        self._call("POST", f"/api/v2/dags/{DAG}/clearTaskInstances", json=body)

    def await_end(self, run: str) -> None:
        """Until the run has succeeded; fails where it failed."""

        def ended() -> str | None:
            state = str(self._call("GET", f"/api/v2/dags/{DAG}/dagRuns/{run}")["state"])
            return state if state in {"success", "failed"} else None

        state = wait_for(ended, seconds=RUN_SECONDS, what=f"the end of run {run}")
        assert state == "success", {task["task_id"]: task["state"] for task in self.tasks(run)}

    def tasks(self, run: str) -> list[dict[str, Any]]:
        path = f"/api/v2/dags/{DAG}/dagRuns/{run}/taskInstances"
        tasks: list[dict[str, Any]] = self._call("GET", path)["task_instances"]
        return tasks

    def task(self, run: str, name: str) -> dict[str, Any]:
        return next(task for task in self.tasks(run) if task["task_id"] == name)

    def _call(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        answer = self._client.request(method, path, **more)
        assert answer.status_code == _OK, f"{method} {path}: {answer.status_code} {answer.text}"
        document: dict[str, Any] = answer.json()
        return document
