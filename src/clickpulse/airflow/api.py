"""Airflow's REST API, as far as the commands use it: backfills and their runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import httpx

from clickpulse.errors import ClickpulseError, ConfigurationError, TransientError

_SECONDS = 30
_PAGE = 100


class BackfillRunningError(ClickpulseError):
    """Airflow makes one backfill of a DAG at a time, and one is under way."""


@dataclass(frozen=True)
class RunStates:
    """How many runs of a backfill are in which state, such as `{"success": 3, "running": 2}`."""

    states: dict[str, int]
    failed: list[str]

    @property
    def done(self) -> int:
        return self.states.get("success", 0) + self.states.get("failed", 0)


class AirflowApi:
    """Signed in; used by one thread.

    Args:
        client: with the address and the token.
    """

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def backfill(self, dag_id: str, start: datetime, end: datetime, conf: dict[str, Any], *, at_once: int) -> int:
        """Begin a backfill of the runs whose interval begins in `[start, end]`, also of those that ran; its id.

        Raises:
            BackfillRunningError: another one of this DAG is under way.
            ConfigurationError: Airflow refuses.
        """
        body = {
            "dag_id": dag_id,
            "from_date": start.isoformat(),
            "to_date": end.isoformat(),
            "reprocess_behavior": "completed",
            "max_active_runs": at_once,
            "dag_run_conf": conf,
        }
        answer = self._answer("POST", "/api/v2/backfills", json=body)
        if answer.status_code == HTTPStatus.CONFLICT:
            raise BackfillRunningError(f"Airflow makes one backfill of {dag_id} at a time, and one is under way")
        found: int = self._content(answer)["id"]
        return found

    def backfill_ended(self, number: int) -> bool:
        return self._get(f"/api/v2/backfills/{number}")["completed_at"] is not None

    def run_states(self, dag_id: str, start: datetime, end: datetime) -> RunStates:
        """Of the runs whose interval begins in `[start, end]`, the backfill's."""
        states: dict[str, int] = {}
        failed: list[str] = []
        for run in self._runs(dag_id, start, end):
            states[run["state"]] = states.get(run["state"], 0) + 1
            if run["state"] == "failed":
                failed.append(run["dag_run_id"])
        return RunStates(states, failed)

    def published(self, dag_id: str, start: datetime, end: datetime) -> dict[str, int]:
        """What the runs' tasks `publish` returned, added up: `{"created": 10, "already there": 50}`."""
        total: dict[str, int] = {}
        for run in self._runs(dag_id, start, end):
            address = (
                f"/api/v2/dags/{dag_id}/dagRuns/{run['dag_run_id']}/taskInstances/publish/xcomEntries/return_value"
            )
            answer = self._answer("GET", address)
            if answer.status_code == HTTPStatus.NOT_FOUND:
                continue  # nothing was planned
            value = self._content(answer)["value"]
            for name, count in (value if isinstance(value, dict) else {}).items():
                total[name] = total.get(name, 0) + count
        return total

    def trigger(self, dag_id: str, conf: dict[str, Any]) -> str:
        """Start a run by hand; its id."""
        body = {"logical_date": datetime.now(UTC).isoformat(), "conf": conf}
        found: str = self._content(self._answer("POST", f"/api/v2/dags/{dag_id}/dagRuns", json=body))["dag_run_id"]
        return found

    def state(self, dag_id: str, run_id: str) -> str:
        """Of a run: `queued`, `running`, `success`, `failed`."""
        found: str = self._get(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")["state"]
        return found

    def _runs(self, dag_id: str, start: datetime, end: datetime) -> Iterator[dict[str, Any]]:
        query: dict[str, Any] = {
            "run_type": "backfill",
            "logical_date_gte": start.isoformat(),
            "logical_date_lte": end.isoformat(),
            "limit": _PAGE,
            "offset": 0,
        }
        while True:
            runs = self._get(f"/api/v2/dags/{dag_id}/dagRuns", params=query)["dag_runs"]
            yield from runs
            if len(runs) < _PAGE:
                return
            query["offset"] += _PAGE

    def _get(self, address: str, **more: Any) -> Any:
        return self._content(self._answer("GET", address, **more))

    def _content(self, answer: httpx.Response) -> Any:
        if not answer.is_success:
            raise ConfigurationError(f"Airflow refuses: HTTP {answer.status_code}: {answer.text[:300]}")
        return answer.json()

    def _answer(self, method: str, address: str, **more: Any) -> httpx.Response:
        try:
            answer = self._client.request(method, address, **more)
        except httpx.HTTPError as error:
            raise _away(self._client.base_url, error) from error
        if answer.is_server_error:
            raise TransientError(f"Airflow at {self._client.base_url} answered {answer.status_code}")
        return answer


@contextmanager
def airflow_api(url: str, user: str, password: str) -> Iterator[AirflowApi]:
    """Signed in at `url`.

    Raises:
        TransientError: Airflow does not answer.
        ConfigurationError: it refuses the login.
    """
    with httpx.Client(
        base_url=url, timeout=_SECONDS, mounts=dict.fromkeys(("all://127.0.0.1", "all://localhost"))
    ) as c:
        try:
            answer = c.post("/auth/token", json={"username": user, "password": password})
        except httpx.HTTPError as error:
            raise _away(c.base_url, error) from error
        if not answer.is_success:
            raise ConfigurationError(
                f"Airflow at {url} refuses the user {user} (HTTP {answer.status_code}): "
                "check AIRFLOW_ADMIN_PASSWORD in airflow.creds"
            )
        c.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield AirflowApi(c)


def _away(url: httpx.URL, error: httpx.HTTPError) -> TransientError:
    reason = str(error) or type(error).__name__
    return TransientError(f"Airflow at {url} does not answer ({reason}): `clickpulse status` shows what is down")
