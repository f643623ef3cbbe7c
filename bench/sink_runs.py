"""Either sink as a process of the benchmark's own, on a scratch topic and database."""

from __future__ import annotations

import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.scratch import Scratch, free_port
from clickpulse.clients import kafka_admin
from clickpulse.credentials import write_private
from clickpulse.errors import ClickpulseError
from clickpulse.settings import PROJECT_ROOT, KafkaSettings, creds_dir
from local import java, probes
from local.processes import memory_bytes
from local.services import connect as connect_service
from local.services.base import python_module
from local.settings import HOST

_READY_SECONDS = 120
_STOP_SECONDS = 40
_POLL_SECONDS = 0.05
_TOPICS = {
    "CONNECT_CONFIG_TOPIC": "configs",
    "CONNECT_OFFSET_TOPIC": "offsets",
    "CONNECT_STATUS_TOPIC": "status",
}


@dataclass(frozen=True)
class RunningSink:
    """A sink's process; its health page may not answer yet."""

    process: subprocess.Popen[bytes]
    health_url: str

    def memory_mb(self) -> float:
        """Proportional set size with its children, in MiB."""
        return memory_bytes(self.process.pid) / 1024**2

    def require_running(self) -> None:
        if self.process.poll() is not None:
            raise ClickpulseError(f"the benchmark's sink ended with status {self.process.returncode}")

    def wait_ready(self) -> None:
        probe = probes.http(f"{self.health_url}/readyz")
        deadline = time.monotonic() + _READY_SECONDS
        while problem := probe():
            self.require_running()
            if time.monotonic() > deadline:
                raise ClickpulseError(f"the benchmark's sink did not get ready: {problem}")
            time.sleep(_POLL_SECONDS)


@contextmanager
def embedded(own: Scratch) -> Iterator[RunningSink]:
    """The embedded sink."""
    with _running(own, "connect.sink", own.environment) as sink:
        yield sink


@contextmanager
def kafka_connect(own: Scratch) -> Iterator[RunningSink]:
    """A worker with the official sink. Raises `ConfigurationError` where the connector can't be had."""
    environment = worker_environment(own.environment, own.folder, connect_service.install())
    try:
        with _running(own, "connect.worker", environment) as sink:
            yield sink
    finally:
        delete_worker_topics(own.kafka, environment)


def worker_environment(base: Mapping[str, str], folder: Path, plugins: Path) -> dict[str, str]:
    """For a worker beside the stack's own, with the login of `base` (`KAFKA_SASL_USERNAME`, `…_PASSWORD`).

    Connect reads its secrets from files: `folder` gets a folder of them.
    """
    creds = folder / "connect-creds"
    creds.mkdir()
    shutil.copy(creds_dir() / "clickhouse.creds", creds)
    login = {name: base[name] for name in ("KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD")}
    write_private(creds / "kafka_connect.creds", "".join(f"{name}={value}\n" for name, value in login.items()))
    (creds / "certs").symlink_to(creds_dir() / "certs")
    name = f"clickpulse-connect-{uuid.uuid4().hex[:8]}"
    port = str(free_port())
    return {
        **base,
        "CLICKPULSE_CREDS_DIR": str(creds),
        "CONNECT_JAVA": java.java(),
        "CONNECT_JARS": str(java.jar_dir("kafka")),
        "CONNECT_PLUGIN_PATH": str(plugins),
        "CONNECT_RUN_DIR": str(folder / "connect-run"),
        "CONNECT_PORT": port,
        "CONNECT_URL": f"http://{HOST}:{port}",
        "CONNECT_GROUP_ID": name,
        **{variable: f"{name}-{suffix}" for variable, suffix in _TOPICS.items()},
    }


def delete_worker_topics(kafka: KafkaSettings, environment: Mapping[str, str]) -> None:
    """Take away what a worker of `worker_environment` has left in Kafka."""
    admin = kafka_admin(kafka)
    known = admin.list_topics(timeout=_READY_SECONDS).topics
    if left := [environment[variable] for variable in _TOPICS if environment[variable] in known]:
        for answer in admin.delete_topics(left).values():
            answer.result()


@contextmanager
def _running(own: Scratch, module: str, environment: Mapping[str, str]) -> Iterator[RunningSink]:
    port = free_port()
    with (own.folder / f"{module}.log").open("w") as log:
        process = subprocess.Popen(
            python_module(module),
            env={**environment, "SINK_HEALTH_PORT": str(port)},
            cwd=PROJECT_ROOT,
            stdout=log,
            stderr=log,
        )
    try:
        yield RunningSink(process, f"http://{HOST}:{port}")
    finally:
        process.terminate()
        process.wait(_STOP_SECONDS)
