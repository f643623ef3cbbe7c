"""A topic, a database and a sink of the benchmark's own, so that the user's data stays as it is."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import stamina

from broker.topics import ensure_topics, wanted_topics
from clickpulse.clients import clickhouse_client, kafka_admin
from clickpulse.errors import ClickpulseError, TransientError
from clickpulse.settings import PROJECT_ROOT, ClickHouseSettings, KafkaSettings
from local.services.base import python_module, run_step
from local.settings import HOST

_READY_SECONDS = 30
_DRAIN_SECONDS = 300
_LOOK_SECONDS = 0.02


@dataclass(frozen=True)
class Scratch:
    """Settings of the benchmark's own topic and database, and the environment that names them to a process."""

    kafka: KafkaSettings
    clickhouse: ClickHouseSettings
    environment: dict[str, str]
    folder: Path

    def drain(self, rows: int) -> list[tuple[float, int]]:
        """Run a sink until `rows` rows are stored; returns what was seen: seconds (of a clock) and rows stored."""
        port = free_port()
        environment = self.environment | {"SINK_HEALTH_PORT": str(port)}
        with (self.folder / "sink.log").open("w") as log:
            sink = subprocess.Popen(python_module("connect.sink"), env=environment, cwd=PROJECT_ROOT, stderr=log)
        try:
            return _watch(rows, f"http://{HOST}:{port}/healthz", sink)
        finally:
            sink.terminate()
            sink.wait(_READY_SECONDS)


def _watch(rows: int, url: str, sink: subprocess.Popen[bytes]) -> list[tuple[float, int]]:
    seen: list[tuple[float, int]] = []
    deadline = time.monotonic() + _DRAIN_SECONDS
    while time.monotonic() < deadline:
        stored = _rows_stored(url, sink)
        if stored:
            seen.append((time.monotonic(), stored))
        if stored >= rows:
            return seen
        time.sleep(_LOOK_SECONDS)
    raise ClickpulseError(f"the sink had not stored {rows} rows after {_DRAIN_SECONDS} s")


def _rows_stored(url: str, sink: subprocess.Popen[bytes]) -> int:
    if sink.poll() is not None:
        raise ClickpulseError(f"the benchmark's sink ended with status {sink.returncode}")
    for attempt in stamina.retry_context(on=TransientError, attempts=None, timeout=_READY_SECONDS, wait_max=0.2):
        with attempt:
            try:
                return int(httpx.get(url, timeout=2).json()["rows_total"])
            except httpx.HTTPError as error:
                raise TransientError(f"{url}: {error!r}") from error
    raise AssertionError("the loop above returns or raises")


def free_port() -> int:
    """A TCP port on the loopback interface that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def scratch() -> Iterator[Scratch]:
    """Make the topic and the migrated database; both are gone afterwards."""
    name = f"bench_{uuid.uuid4().hex[:8]}"
    kafka = KafkaSettings.load_for("admin", topic=name, dead_letter_topic=f"{name}_dead_letters")
    clickhouse = ClickHouseSettings.load(database=name)
    user, password = kafka.login()  # the sink's own user may use the stack's topics, not these
    environment = os.environ | {
        "KAFKA_SASL_USERNAME": user,
        "KAFKA_SASL_PASSWORD": password,
        "KAFKA_TOPIC": kafka.topic,
        "KAFKA_DEAD_LETTER_TOPIC": kafka.dead_letter_topic,
        "CLICKHOUSE_DATABASE": name,
        "SINK_GROUP_ID": name,
    }
    with TemporaryDirectory() as folder:
        ensure_topics(kafka, timeout_seconds=_READY_SECONDS)
        try:
            run_step(python_module("clickhouse.migrate"), environment, Path(folder, "migrate.log"))
            yield Scratch(kafka, clickhouse, environment, Path(folder))
        finally:
            client = clickhouse_client(clickhouse, database="default")
            client.command("DROP DATABASE IF EXISTS {name:Identifier}", parameters={"name": name})
            client.close()
            admin = kafka_admin(kafka)  # kept until its answers are there: they would never come otherwise
            for future in admin.delete_topics([topic.name for topic in wanted_topics(kafka)]).values():
                future.result()
