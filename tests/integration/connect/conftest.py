"""A topic, a dead-letter topic, a group and a database of a test's own, and sinks to run on them."""

from __future__ import annotations

import io
import itertools
import json
import os
import random
import secrets
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import fastavro
import httpx
import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from pydantic import AnyHttpUrl

from broker.topics import ensure_topics, wanted_topics
from clickpulse.clients import clickhouse_client
from clickpulse.settings import PROJECT_ROOT, ClickHouseSettings, KafkaSettings, RegistrySettings
from clickpulse.tls import client_context
from tests.support import free_port, kafka_login

PARTITIONS = 6
TIMEOUT = 60.0
SCHEMA = json.loads((PROJECT_ROOT / "producer" / "schemas" / "user_interaction.avsc").read_text())
PARSED = fastavro.parse_schema(SCHEMA)

Event = dict[str, Any]


def wait_for(condition: Callable[[], Any], what: str, timeout: float = TIMEOUT) -> Any:
    """The condition's first true value."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {timeout} s: {what}"
        time.sleep(0.05)
    return value


def event(**values: Any) -> Event:
    """One valid interaction of now."""
    user = str(uuid.uuid4())
    return {
        "event_id": str(uuid.uuid4()),
        "user_id": user,
        "session_id": str(uuid.uuid4()),
        "event_type": random.choice(["SEARCH", "PAYMENT", "CHECKOUT"]),
        "event_timestamp": int(time.time() * 1000),
        "request_latency_ms": random.randrange(2000),
        "status": "SUCCESS",
        "error_code": None,
        "product_id": None,
    } | values


def avro(values: Event, schema: Any = PARSED) -> bytes:
    """The datum without a head. Logical types are given as plain values."""
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, schema, values)
    return stream.getvalue()


@dataclass
class Sink:
    """A running sink process."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def health(self) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = httpx.get(f"http://127.0.0.1:{self.port}/healthz").json()
        except httpx.TransportError:
            return {}
        return answer

    def wait_ready(self) -> None:
        def ready() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            return _answers(f"http://127.0.0.1:{self.port}/readyz")

        wait_for(ready, f"sink ready; {self.log}")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@dataclass
class World:
    """The surroundings of one test."""

    home: Path
    name: str
    folder: Path
    environment: dict[str, str]
    kafka: KafkaSettings
    registry: RegistrySettings
    clickhouse: ClickHouseSettings
    sinks: list[Sink] = field(default_factory=list)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    schema_id: int = 0
    partitions: int = PARTITIONS

    event = staticmethod(event)
    avro = staticmethod(avro)
    sink_type = Sink
    schema = SCHEMA
    parsed_schema = PARSED
    wait_for = staticmethod(wait_for)
    free_port = staticmethod(free_port)

    def start_clickhouse(self) -> subprocess.Popen[bytes]:
        """An embedded server of the test's own, for this world from now on; again after it ended: with its data."""
        port = self.environment.get("CLICKHOUSE_SERVER_PORT") or str(free_port())
        self.environment |= {
            "CLICKHOUSE_SERVER_PORT": port,
            "CLICKHOUSE_SERVER_DATA_DIR": str(self.folder / "clickhouse"),
            "CLICKHOUSE_URL": f"{self.clickhouse.url.scheme}://127.0.0.1:{port}",
        }
        with (self.folder / "clickhouse.log").open("ab") as stream:
            server = subprocess.Popen(
                [sys.executable, "-m", "clickhouse.server"],
                cwd=PROJECT_ROOT,
                env=os.environ | self.environment,
                stderr=stream,
            )
        self.processes.append(server)
        self.clickhouse = self.clickhouse.model_copy(update={"url": AnyHttpUrl(self.environment["CLICKHOUSE_URL"])})
        wait_for(lambda: _answers(f"{self.clickhouse.url}ping", self.clickhouse.ca_file), "ClickHouse answers")
        return server

    def migrate(self) -> None:
        """Lay the tables in a database of its own."""
        command = [sys.executable, "-m", "clickhouse.migrate"]
        subprocess.run(command, cwd=PROJECT_ROOT, env=os.environ | self.environment, check=True, timeout=TIMEOUT)

    def start_sink(self, **variables: str) -> Sink:
        port = free_port()
        log = self.folder / f"sink-{len(self.sinks)}.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "connect.sink"],
                cwd=PROJECT_ROOT,
                env=os.environ | self.environment | {"SINK_HEALTH_PORT": str(port)} | variables,
                stderr=stream,
            )
        self.sinks.append(Sink(process, port, log))
        return self.sinks[-1]

    def register(self, subject: str, schema: Any) -> int:
        answer = httpx.post(f"{self.registry.url}/subjects/{subject}/versions", json={"schema": json.dumps(schema)})
        answer.raise_for_status()
        return int(answer.json()["id"])

    def wire(self, values: Event) -> bytes:
        return self.head() + avro(values)

    def head(self, schema_id: int | None = None) -> bytes:
        return b"\0" + (self.schema_id if schema_id is None else schema_id).to_bytes(4, "big")

    def producer(self, **config: Any) -> Producer:
        return Producer(self.kafka.client_config() | {"enable.idempotence": True, "linger.ms": 5} | config)

    def produce(self, values: list[bytes | None]) -> None:
        producer = self.producer()
        for value in values:
            producer.produce(self.kafka.topic, key=uuid.uuid4().bytes, value=value)
        assert producer.flush(TIMEOUT) == 0

    def read_topic(self, topic: str) -> list[Message]:
        """Everything that is in the topic now, read by a consumer of its own."""
        consumer = Consumer(
            self.kafka.client_config() | {"group.id": f"check-{secrets.token_hex(4)}", "enable.auto.commit": False}
        )
        partitions = [
            TopicPartition(topic, p) for p in consumer.list_topics(topic, timeout=TIMEOUT).topics[topic].partitions
        ]
        bounds = {p.partition: consumer.get_watermark_offsets(p, timeout=TIMEOUT) for p in partitions}
        consumer.assign([TopicPartition(topic, p, low) for p, (low, _) in bounds.items()])
        left = sum(high - low for low, high in bounds.values())
        messages: list[Message] = []
        deadline = time.monotonic() + TIMEOUT
        while len(messages) < left:
            assert time.monotonic() < deadline, f"{topic}: {len(messages)} of {left} messages read"
            messages += [m for m in consumer.consume(1000, 0.5) if m.error() is None]
        consumer.close()
        return messages

    def in_kafka(self) -> list[tuple[str, int, int]]:
        """Event id, partition and offset of every valid message, sorted."""
        rows = []
        for message in self.read_topic(self.kafka.topic):
            values = fastavro.schemaless_reader(io.BytesIO(message.value()[5:]), PARSED)
            rows.append((str(values["event_id"]), message.partition(), message.offset()))
        return sorted(rows)

    def in_clickhouse(self) -> list[tuple[str, int, int]]:
        """The same of every stored row."""
        client = clickhouse_client(self.clickhouse)
        rows = client.query("SELECT toString(event_id), kafka_partition, kafka_offset FROM events").result_rows
        client.close()
        return sorted((str(i), int(p), int(o)) for i, p, o in rows)

    def wait_caught_up(self, sink: Sink) -> None:
        """Until the sink has committed everything that is in Kafka now."""
        ends = self.ends()

        def caught_up() -> bool:
            partitions = sink.health().get("partitions", {})
            return len(partitions) == len(ends) and all(
                (partitions[str(p)]["committed_offset"] or 0) >= end for p, end in ends.items()
            )

        wait_for(caught_up, f"everything committed; {sink.log}")

    def ends(self) -> dict[int, int]:
        asked = {TopicPartition(self.kafka.topic, p): OffsetSpec.latest() for p in range(self.partitions)}
        admin = AdminClient(self.kafka.client_config())
        answers = admin.list_offsets(asked)
        return {position.partition: answer.result(TIMEOUT).offset for position, answer in answers.items()}


class Traffic:
    """Produces valid events from a thread until stopped; `acknowledged` holds their ids."""

    def __init__(self, world: World, rate: float) -> None:
        self.acknowledged: list[str] = []
        self._world = world
        self._rate = rate
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        producer = self._world.producer()
        began = time.monotonic()
        for number in itertools.count():
            values = event()
            producer.produce(
                self._world.kafka.topic,
                key=values["user_id"],
                value=self._world.wire(values),
                on_delivery=lambda error, _, i=values["event_id"]: error or self.acknowledged.append(i),
            )
            producer.poll(0)
            if self._stop.wait(max(0.0, began + number / self._rate - time.monotonic())):
                break
        producer.flush(TIMEOUT)


@pytest.fixture
def traffic() -> type[Traffic]:
    return Traffic


@pytest.fixture
def world(stack: Path, tmp_path: Path) -> Iterator[World]:
    name = f"sink_{secrets.token_hex(4)}"
    environment = {
        "KAFKA_TOPIC": name,
        "KAFKA_DEAD_LETTER_TOPIC": f"{name}-dead-letters",
        "CLICKHOUSE_DATABASE": name,
        "SINK_GROUP_ID": name,
        "SINK_INSTANCE_ID": "one",
    }
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in environment.items():
            patch.setenv(variable, value)
        settings = KafkaSettings.load_for("admin"), RegistrySettings.load(), ClickHouseSettings.load()
    environment |= kafka_login(settings[0])
    made = World(stack, name, tmp_path, environment, *settings)
    admin = AdminClient(made.kafka.client_config())
    ensure_topics(made.kafka, timeout_seconds=TIMEOUT)
    made.schema_id = made.register(f"{name}-value", SCHEMA)
    made.migrate()
    database = clickhouse_client(made.clickhouse)
    yield made
    for process in [*(sink.process for sink in made.sinks), *made.processes]:
        process.kill()
        process.wait()
    for answer in admin.delete_topics([topic.name for topic in wanted_topics(made.kafka)]).values():
        answer.result()
    database.command("DROP DATABASE {name:Identifier}", parameters={"name": name})
    database.close()


def _answers(url: str, ca_file: Path | None = None) -> bool:
    try:
        return httpx.get(url, verify=client_context(ca_file)).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
