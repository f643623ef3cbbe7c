"""The embedded server as a process of its own, on a free port, with clickhouse-connect as the client.

Where the tests run beside services of another machine or container, `server` is the ClickHouse there.
"""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fastavro
import httpx
import pytest
from clickhouse_connect.driver.client import Client

from clickpulse.clients import clickhouse_client
from clickpulse.settings import PROJECT_ROOT, ClickHouseSettings
from tests.support import external

START_SECONDS = 30
SCHEMA = fastavro.parse_schema(json.loads((PROJECT_ROOT / "producer/schemas/user_interaction.avsc").read_text()))
SCHEMA_ID = 7


class Deployed:
    """A ClickHouse that runs elsewhere: address and users are those of the settings."""

    def __init__(self, settings: ClickHouseSettings) -> None:
        self.settings = settings

    @property
    def url(self) -> str:
        return str(self.settings.url)

    @property
    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    def client(self, *, reader: bool = False, **options: Any) -> Client:
        return clickhouse_client(self.settings, reader=reader, **{"database": None, **options})

    def migrate(self, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "clickhouse.migrate"],
            cwd=PROJECT_ROOT,
            env=self.environment | variables,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def post(self, sql: str | bytes, *, reader: bool = False, **parameters: str) -> httpx.Response:
        settings = self.settings
        user = settings.reader_user if reader else settings.user
        password = settings.reader_password if reader else settings.password
        return httpx.post(
            self.url, params=parameters, content=sql, auth=(user, password.get_secret_value()), timeout=60
        )


class Server(Deployed):
    """A server process on a data folder; may be killed and started again."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder = folder
        self.log = folder / "server.log"
        self.variables = variables
        self.port = _free_port()
        self.process: subprocess.Popen[bytes] | None = None
        values = {
            "url": f"http://127.0.0.1:{self.port}",
            "database": "clickpulse",
            "password": "writer's \\ password",
            "reader_password": "reader password",
        }
        super().__init__(ClickHouseSettings.model_validate(values))

    @property
    def environment(self) -> dict[str, str]:
        clean = {
            name: value for name, value in os.environ.items() if not name.startswith(("CLICKHOUSE_", "CLICKPULSE_"))
        }
        return clean | {
            "CLICKPULSE_HOME": str(self.folder),
            "CLICKPULSE_CREDS_DIR": str(self.folder),
            "CLICKHOUSE_URL": self.url,
            "CLICKHOUSE_PASSWORD": self.settings.password.get_secret_value(),
            "CLICKHOUSE_READER_PASSWORD": self.settings.reader_password.get_secret_value(),
            "CLICKHOUSE_SERVER_PORT": str(self.port),
            "CLICKHOUSE_SERVER_DATA_DIR": str(self.folder / "data"),
            **self.variables,
        }

    def start(self) -> Server:
        self.process = self.spawn()
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            assert self.process.poll() is None, f"the server ended: {self.log.read_text()}"
            assert time.monotonic() < deadline, f"no answer in {START_SECONDS} s: {self.log.read_text()}"
            time.sleep(0.02)
        return self

    def spawn(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "clickhouse.server"],
                cwd=PROJECT_ROOT,
                env=self.environment,
                stderr=log,
                stdout=log,
            )

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}ping").text == "Ok.\n"
        except httpx.TransportError:
            return False

    def signal(self, number: int) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(30)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.signal(signal.SIGTERM)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    if external():
        yield Deployed(ClickHouseSettings.load())
        return
    running = Server(tmp_path_factory.mktemp("clickhouse")).start()
    migrated = running.migrate()
    assert migrated.returncode == 0, migrated.stderr
    yield running
    running.stop()


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Servers of a test's own; called with variables of the environment."""
    made: list[Server] = []

    def make(**variables: str) -> Server:
        folder = tmp_path / f"server{len(made)}"
        folder.mkdir()
        made.append(Server(folder, **variables))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def client(server: Deployed) -> Iterator[Client]:
    connected = server.client()
    yield connected
    connected.close()


@pytest.fixture
def reader(server: Deployed) -> Iterator[Client]:
    connected = server.client(reader=True)
    yield connected
    connected.close()


@pytest.fixture
def database(client: Client) -> Iterator[str]:
    """A database of the test's own."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    client.command("CREATE DATABASE {name:Identifier}", parameters={"name": name})
    client.database = name
    yield name
    client.command("DROP DATABASE {name:Identifier}", parameters={"name": name}, use_database=False)


class _Registry(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = self.path == f"/schemas/ids/{SCHEMA_ID}"
        schema = {key: value for key, value in dict(SCHEMA).items() if not key.startswith("__")}
        body = json.dumps({"schema": json.dumps(schema)} if known else {"error_code": 40403}).encode()
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture(scope="session")
def registry() -> Iterator[str]:
    """A Schema Registry that knows one schema; gives its address, as ClickHouse reaches it."""
    host = socket.gethostbyname(socket.gethostname()) if external() else "127.0.0.1"
    http = ThreadingHTTPServer((host, 0), _Registry)
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    yield f"http://{host}:{http.server_port}"
    http.shutdown()
    thread.join()


def wire(events: Sequence[dict[str, Any]]) -> list[bytes]:
    """The events in Confluent's wire format."""
    messages = []
    for event in events:
        buffer = io.BytesIO()
        fastavro.schemaless_writer(buffer, SCHEMA, event)
        messages.append(struct.pack(">bI", 0, SCHEMA_ID) + buffer.getvalue())
    return messages


@pytest.fixture(scope="session")
def to_wire() -> Callable[[Sequence[dict[str, Any]]], list[bytes]]:
    return wire
