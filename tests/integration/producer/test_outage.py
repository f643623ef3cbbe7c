"""Kafka is killed and started again under traffic. On a broker of the test's own: others use the stack's."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.topics import ensure_topics
from local.java import jar_dir, java
from local.services.base import python_module
from tests.support import free_port


class Broker:
    """One Kafka node that can be killed and started again with its data."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._log = folder / "kafka.log"
        self._environment = os.environ | {
            "KAFKA_BROKER_PORT": str(self.port),
            "KAFKA_BROKER_CONTROLLER_PORT": str(free_port()),
            "KAFKA_BROKER_HEAP_MB": "256",
            "KAFKA_BROKER_JAVA": java(),
            "KAFKA_BROKER_JARS": str(jar_dir("kafka")),
            "KAFKA_BROKER_DATA_DIR": str(folder / "data"),
            "KAFKA_BROKER_RUN_DIR": str(folder / "run"),
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                python_module("broker"), env=self._environment, stdout=log, stderr=subprocess.STDOUT
            )

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=30)


@pytest.fixture
def broker(own_topics, tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path)
    broker.start()
    ensure_topics(own_topics.kafka.model_copy(update={"bootstrap_servers": broker.address}), timeout_seconds=60)
    yield broker
    broker.kill()


def test_a_killed_broker_costs_nothing(broker, own_topics, tmp_path, wait_until):
    kept = tmp_path / "summary.json"
    there = type(own_topics)(
        own_topics.kafka.model_copy(update={"bootstrap_servers": broker.address}),
        own_topics.environment | {"KAFKA_BOOTSTRAP_SERVERS": broker.address},
    )

    def acknowledged() -> int:
        return int(json.loads(kept.read_text())["acknowledged"]) if kept.exists() else 0

    process = there.start("simulate", "--rate", "1000", "--json", "--summary", kept)
    try:
        wait_until(lambda: acknowledged() > 2000, "traffic before the outage")
        broker.kill()
        wait_until(lambda: json.loads(kept.read_text())["outstanding"] > 4000, "events wait for Kafka")
        before = acknowledged()
        broker.start()
        wait_until(lambda: acknowledged() > before + 6000, "traffic after the outage", 120)
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    account = json.loads(output)
    ids = [message.event["event_id"] for message in there.events()]
    assert account["generated"] == account["acknowledged"] == len(ids) == len(set(ids))
    logged = [json.loads(line)["event"] for line in errors.splitlines() if line.startswith("{")]
    assert logged.index("delivery_paused") < logged.index("delivery_resumed")
    assert logged.count("delivery_paused") == logged.count("delivery_resumed")


def test_a_broker_that_stays_away_is_told_by_the_status(broker, own_topics, tmp_path, wait_until):
    kept = tmp_path / "summary.json"
    environment = {"KAFKA_BOOTSTRAP_SERVERS": broker.address, "PRODUCER_DELIVERY_TIMEOUT_MS": "3000"}
    process = own_topics.start("simulate", "--rate", "500", "--json", "--summary", kept, **environment)
    try:
        wait_until(lambda: kept.exists() and json.loads(kept.read_text())["acknowledged"] > 500, "traffic")
        broker.kill()
        wait_until(lambda: json.loads(kept.read_text())["failed"] > 0, "events fail after the delivery timeout")
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 1, errors
    account = json.loads(output)
    assert account["failed"] > 0
    assert account["acknowledged"] + account["failed"] == account["generated"]
    assert "delivery_failed" in errors
