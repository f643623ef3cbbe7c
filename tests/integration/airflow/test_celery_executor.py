"""The real DAG through a Celery worker: Redis hands the tasks over, Postgres keeps what became of them."""

from __future__ import annotations

import json
import random
import socket
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psutil
from celery import Celery
from dotenv import dotenv_values

from bench.bulk import encoder_for, pregenerate, send
from clickpulse.airflow.launch import RedisSettings
from clickpulse.clients import report_reader
from clickpulse.settings import PROJECT_ROOT, KafkaSettings, ReportReaderSettings, creds_dir
from clickpulse.windows import MinuteWindow
from tests.support import wait_for

if TYPE_CHECKING:
    from conftest import CeleryAirflow

HOST = "127.0.0.1"
DAG = "minutely_report"
TASKS = {"await_minute", "export", "detect", "publish"}
RUN_SECONDS = 180


def ended(airflow: CeleryAirflow, query: dict[str, Any]) -> dict[str, Any] | None:
    answer = airflow.api.get(f"/api/v2/dags/{DAG}/dagRuns", params=query)
    runs: list[dict[str, Any]] = answer.json().get("dag_runs", [])
    return next((run for run in runs if run["state"] in {"success", "failed"}), None)


def states(airflow: CeleryAirflow, run_id: str) -> dict[str, str]:
    answer = airflow.api.get(f"/api/v2/dags/{DAG}/dagRuns/{run_id}/taskInstances")
    return {task["task_id"]: task["state"] for task in answer.json()["task_instances"]}


def assert_through_celery(airflow: CeleryAirflow, run_id: str) -> None:
    """Each task's id at the executor is a message that a worker wrote a result for, some moments after its end."""

    def results() -> list[tuple[Any, ...]] | None:
        found = airflow.rows(
            "SELECT ti.task_id, ti.queue, meta.status, ti.hostname FROM task_instance ti "
            "JOIN celery_taskmeta meta ON meta.task_id = ti.external_executor_id "
            "WHERE ti.dag_id = %(dag)s AND ti.run_id = %(run)s",  # another DAG's run of the same moment has the same id
            dag=DAG,
            run=run_id,
        )
        return found if [status for _, _, status, _ in found].count("SUCCESS") == len(TASKS) else None

    found = wait_for(results, seconds=30, what=f"Celery's results of {run_id}")
    assert {(task, queue) for task, queue, _, _ in found} == {(task, "default") for task in TASKS}
    assert {hostname for _, _, _, hostname in found} <= {socket.gethostname(), socket.getfqdn()}


def test_a_report_is_made_by_the_worker(celery_airflow: CeleryAirflow) -> None:
    window = MinuteWindow(
        datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=random.SystemRandom().randrange(5_000_000))
    )
    kafka = KafkaSettings.load_for("producer")
    encoder = encoder_for(kafka)
    messages = pregenerate(window, 700, encoder)
    send(kafka, encoder, messages)

    def parsed() -> bool:
        return celery_airflow.api.get(f"/api/v2/dags/{DAG}").status_code == 200

    wait_for(parsed, seconds=RUN_SECONDS, what="the DAG in Airflow's database")
    run_id = f"celery-{window}"
    body = {"dag_run_id": run_id, "logical_date": datetime.now(UTC).isoformat(), "conf": {"window": str(window)}}
    answer = celery_airflow.api.post(f"/api/v2/dags/{DAG}/dagRuns", json=body)
    assert answer.status_code == 200, answer.text
    query = {"run_id_pattern": run_id}
    run = wait_for(lambda: ended(celery_airflow, query), seconds=RUN_SECONDS, what=f"the end of {run_id}")
    assert run["state"] == "success", states(celery_airflow, run_id)

    with report_reader(ReportReaderSettings.load()) as client:
        report = client.get(f"/api/v1/reports/{window}")
    assert report.status_code == 200, report.text
    assert (report.json()["complete"], report.json()["totals"]["events"]) == (True, len(messages))
    assert_through_celery(celery_airflow, run_id)


def test_a_scheduled_minute_is_made_by_the_worker(celery_airflow: CeleryAirflow) -> None:
    query = {"run_type": "scheduled", "order_by": "run_after", "limit": 1}
    run = wait_for(lambda: ended(celery_airflow, query), seconds=RUN_SECONDS, what="a scheduled run")
    assert run["state"] == "success", states(celery_airflow, run["dag_run_id"])
    start, end = (datetime.fromisoformat(run[name]) for name in ("data_interval_start", "data_interval_end"))
    assert end - start == timedelta(minutes=1)
    assert_through_celery(celery_airflow, run["dag_run_id"])


def test_the_worker_has_the_imports_before_it_forks(celery_airflow: CeleryAirflow) -> None:
    """Each process of the pool has Arrow's library mapped, which only the tasks' imports bring."""
    broker = RedisSettings.load(host=HOST, port=int(celery_airflow.environment["REDIS_PORT"]))
    stats = Celery(broker=broker.url(0)).control.inspect(timeout=10, limit=1).stats()
    assert stats
    pool = [pid for worker in stats.values() for pid in worker["pool"]["processes"]]
    assert len(pool) == int(celery_airflow.environment["AIRFLOW__CELERY__WORKER_CONCURRENCY"])
    for pid in pool:
        assert any("libarrow" in mapping.path for mapping in psutil.Process(pid).memory_maps()), pid


def test_no_secret_is_in_a_process_list_or_a_log(celery_airflow: CeleryAirflow) -> None:
    secrets = {
        value
        for file in creds_dir().glob("*.creds")
        for name, value in dotenv_values(file).items()
        if value and not name.endswith(("_USERNAME", "_CLUSTER_ID"))
    }
    assert len(secrets) > 10
    for process in celery_airflow.family():
        with suppress(psutil.NoSuchProcess):  # tasks' processes come and go
            assert not [each for each in secrets if each in " ".join(process.cmdline())], process
    for log in celery_airflow.folder.rglob("*.log"):
        assert not [each for each in secrets if each in log.read_text(errors="replace")], log


def test_users_have_roles_and_passwords_of_their_own(celery_airflow: CeleryAirflow) -> None:
    name, password = "analyst", json.loads(celery_airflow.environment["AIRFLOW_USER_PASSWORDS"])["analyst"]
    wrong = celery_airflow.api.post("/auth/token", json={"username": name, "password": f"{password}!"})
    assert wrong.status_code == 401

    viewer = {"Authorization": f"Bearer {celery_airflow.sign_in(name, password)}"}
    runs = f"/api/v2/dags/{DAG}/dagRuns"
    assert celery_airflow.api.get(runs, headers=viewer).status_code == 200
    body = {"logical_date": datetime.now(UTC).isoformat()}
    assert celery_airflow.api.post(runs, json=body, headers=viewer).status_code == 403

    users = "SELECT username, password FROM ab_user ORDER BY username"
    before = celery_airflow.rows(users)
    assert [user for user, _ in before] == ["admin", name]
    assert password not in str(before)
    again = [sys.executable, "-m", "clickpulse.airflow.launch", "ensure-users"]
    subprocess.run(again, env=dict(celery_airflow.environment), cwd=PROJECT_ROOT, timeout=120, check=True)
    assert celery_airflow.rows(users) == before


def test_the_workers_health_check_notices_its_end(celery_airflow: CeleryAirflow) -> None:
    """The last test: the worker is stopped."""

    def status() -> int:
        command = [sys.executable, "-m", "clickpulse.airflow.worker_health"]
        return subprocess.run(
            command, env=dict(celery_airflow.environment), cwd=PROJECT_ROOT, timeout=60, check=False
        ).returncode

    assert status() == 0
    worker = celery_airflow.processes["worker"]
    worker.terminate()
    worker.wait(60)
    assert status() == 1
