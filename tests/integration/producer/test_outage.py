"""Kafka is killed and started again under traffic. On a broker of the test's own: others use the stack's."""

import json
import signal
import socket
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.java import jar_dir, java

PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=CLIENT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=CLIENT
log.dirs={folder}/data
offsets.topic.replication.factor=1
"""


class Broker:
    """One Kafka node that can be killed and started again with its data."""

    def __init__(self, folder: Path) -> None:
        self.port, controller = free_port(), free_port()
        self._properties = folder / "kafka.properties"
        self._properties.write_text(PROPERTIES.format(port=self.port, controller=controller, folder=folder))
        self._java = [java(), "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{jar_dir('kafka')}/*"]
        tool = [*self._java, "kafka.tools.StorageTool", "format", "-t", uuid.uuid4().hex[:22], "-c", self._properties]
        subprocess.run(tool, check=True, capture_output=True)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [*self._java, "kafka.Kafka", self._properties]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def broker(stack: Path, tmp_path: Path) -> Iterator[Broker]:  # noqa: ARG001 - the stack has installed Kafka
    broker = Broker(tmp_path)
    broker.start()
    yield broker
    broker.kill()


def test_a_killed_broker_costs_nothing(broker, own_topics, tmp_path, wait_until):
    kept = tmp_path / "summary.json"
    servers = f"127.0.0.1:{broker.port}"
    there = type(own_topics)(
        own_topics.kafka.model_copy(update={"bootstrap_servers": servers}),
        own_topics.environment | {"KAFKA_BOOTSTRAP_SERVERS": servers},
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
    environment = {"KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{broker.port}", "PRODUCER_DELIVERY_TIMEOUT_MS": "3000"}
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
