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

from clickpulse.clients import clickhouse_client, kafka_admin
from clickpulse.errors import ClickpulseError, TransientError
from clickpulse.settings import PROJECT_ROOT, ClickHouseSettings, KafkaSettings
from local.services.base import python_module, run_step
from local.settings import HOST
from producer.topics import ensure_topics

_READY_SECONDS = 30
_DRAIN_SECONDS = 300


@dataclass(frozen=True)
class Scratch:
    """Settings of the benchmark's own topic and database, and the environment that names them to a process."""

    kafka: KafkaSettings
    clickhouse: ClickHouseSettings
    environment: dict[str, str]
    folder: Path

    def drain(self, rows: int) -> float:
        """Run a sink until `rows` rows are stored; returns rows a second between the first and the last seen."""
        port = _free_port()
        environment = self.environment | {"SINK_HEALTH_PORT": str(port)}
        with (self.folder / "sink.log").open("w") as log:
            sink = subprocess.Popen(python_module("connect.sink"), env=environment, cwd=PROJECT_ROOT, stderr=log)
        try:
            return _rate(rows, f"http://{HOST}:{port}/healthz", sink)
        finally:
            sink.terminate()
            sink.wait(_READY_SECONDS)


def _rate(rows: int, url: str, sink: subprocess.Popen[bytes]) -> float:
    first: tuple[float, int] | None = None
    deadline = time.monotonic() + _DRAIN_SECONDS
    while time.monotonic() < deadline:
        stored = _rows_stored(url, sink)
        now = time.monotonic()
        if first is None and stored:
            first = now, stored
        if first is not None and stored >= rows:
            return (stored - first[1]) / (now - first[0])
        time.sleep(0.02)
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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def scratch() -> Iterator[Scratch]:
    """Make the topic and the migrated database; both are gone afterwards."""
    name = f"bench_{uuid.uuid4().hex[:8]}"
    kafka = KafkaSettings.load(topic=name, dead_letter_topic=f"{name}_dead_letters")
    clickhouse = ClickHouseSettings.load(database=name)
    environment = os.environ | {
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
            for future in kafka_admin(kafka).delete_topics([kafka.topic, kafka.dead_letter_topic]).values():
                future.result()
