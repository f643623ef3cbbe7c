"""Topics of a test's own, letters laid down as the doors do, and a reader that shares no code with the commands."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fastavro
import httpx
import pytest
import typer
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from typer.testing import CliRunner

from broker.topics import ensure_topics, wanted_topics
from clickpulse.dead_letters import DeadLetter, dead_letter_writer
from clickpulse.dlq import commands
from clickpulse.errors import ClickpulseError
from clickpulse.settings import PROJECT_ROOT, KafkaSettings, RegistrySettings

SCHEMA_TEXT = (PROJECT_ROOT / "producer" / "schemas" / "user_interaction.avsc").read_text()
SCHEMA = fastavro.parse_schema(json.loads(SCHEMA_TEXT))
SECONDS = 60.0


@dataclass(frozen=True)
class Received:
    """A message as it is in Kafka."""

    place: tuple[int, int]
    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    headers: list[tuple[str, bytes | None]]


@dataclass(frozen=True)
class Desk:
    """A test's own events and dead letters. The commands log in as they do for a user: as viewer and admin."""

    kafka: KafkaSettings

    def run(self, *arguments: str | Path, status: int = 0) -> str:
        """What `clickpulse dlq ARGUMENTS` prints, or the error that it ends with; in this process, which is quicker."""
        app = typer.Typer()
        commands.register(app)
        done = CliRunner().invoke(app, ["dlq", *map(str, arguments)])
        if isinstance(done.exception, ClickpulseError):
            assert status == 1, done.exception
            return str(done.exception)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == status, done.output
        return done.stdout

    def json(self, *arguments: str | Path, status: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", status=status))

    def json_of_program(self, *arguments: str | Path) -> Any:
        """The same of a process of its own, as a user runs it."""
        command = [sys.executable, "-m", "clickpulse", "dlq", *map(str, arguments), "--json"]
        done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def produce(self, value: bytes | None, timestamp_ms: int, *, key: bytes = b"user") -> tuple[int, int]:
        """One message to the events' topic, and where it is."""
        places: list[tuple[int, int]] = []
        producer = Producer(self.kafka.client_config())
        producer.produce(
            self.kafka.topic, value=value, key=key, timestamp=timestamp_ms, headers=[("trace", b"t-1")],
            on_delivery=lambda _error, message: places.append((message.partition(), message.offset())),
        )  # fmt: skip
        assert producer.flush(SECONDS) == 0
        return places[0]

    def set_aside(self, *messages: Received, error_class: str = "malformed-avro", **more: Any) -> None:
        """Dead letters of messages, as the sink writes them."""
        writer = dead_letter_writer(self.kafka)
        writer.write(
            [
                DeadLetter(
                    topic=self.kafka.topic, partition=message.place[0], offset=message.place[1], key=message.key,
                    value=message.value, timestamp_ms=message.timestamp_ms, headers=tuple(message.headers),
                    **({"reason": f"fault of {message.place}", "error_class": error_class, "component": "sink"} | more),
                )
                for message in messages
            ]
        )  # fmt: skip

    def refused(self, *values: bytes | None, timestamp_ms: int, error_class: str = "malformed-avro") -> list[Received]:
        """Messages that were produced and set aside."""
        places = [self.produce(value, timestamp_ms) for value in values]
        messages = [message for message in self.events() if message.place in places]
        self.set_aside(*messages, error_class=error_class)
        return messages

    def events(self) -> list[Received]:
        return self.read(self.kafka.topic)

    def letters(self) -> list[Received]:
        return self.read(self.kafka.dead_letter_topic)

    def ends(self) -> dict[str, list[int]]:
        """Where each of the topics ends: tells whether anything was written anywhere."""
        consumer = self._consumer()
        try:
            return {
                topic.name: [
                    consumer.get_watermark_offsets(TopicPartition(topic.name, number), timeout=SECONDS)[1]
                    for number in range(topic.partitions)
                ]
                for topic in wanted_topics(self.kafka)
            }
        finally:
            consumer.close()

    def read(self, topic: str) -> list[Received]:
        """All that is in the topic now."""
        consumer = self._consumer()
        try:
            numbers = list(consumer.list_topics(topic, timeout=SECONDS).topics[topic].partitions)
            bounds = [consumer.get_watermark_offsets(TopicPartition(topic, n), timeout=SECONDS) for n in numbers]
            consumer.assign([TopicPartition(topic, n, low) for n, (low, _) in zip(numbers, bounds, strict=True)])
            wanted = sum(high - low for low, high in bounds)
            found: list[Received] = []
            deadline = time.monotonic() + SECONDS
            while len(found) < wanted:
                assert time.monotonic() < deadline, f"{len(found)} of {wanted} messages of {topic}"
                found += [_received(message) for message in consumer.consume(500, 0.5)]
            return sorted(found, key=lambda message: message.place)
        finally:
            consumer.close()

    def _consumer(self) -> Consumer:
        return Consumer(
            self.kafka.client_config() | {"group.id": f"test-{uuid.uuid4().hex}", "enable.auto.commit": False}
        )


def _received(message: Any) -> Received:
    assert message.error() is None, message.error()
    place = (message.partition(), message.offset())
    return Received(place, message.key(), message.value(), message.timestamp()[1], message.headers() or [])


def event(**changes: Any) -> dict[str, Any]:
    return {
        "event_id": str(uuid.uuid4()), "user_id": str(uuid.uuid4()), "session_id": str(uuid.uuid4()),
        "event_type": "SEARCH", "event_timestamp": int(time.time() * 1000), "request_latency_ms": 12,
        "status": "SUCCESS", "error_code": None, "product_id": None,
    } | changes  # fmt: skip


@dataclass(frozen=True)
class Wire:
    """Confluent's wire format for one registered schema."""

    schema_id: int
    schema: Any

    event = staticmethod(event)

    def __call__(self, values: dict[str, Any]) -> bytes:
        stream = io.BytesIO()
        stream.write(b"\0" + self.schema_id.to_bytes(4, "big"))
        fastavro.schemaless_writer(stream, self.schema, values)
        return stream.getvalue()

    def read(self, value: bytes) -> dict[str, Any]:
        return dict(fastavro.schemaless_reader(io.BytesIO(value[5:]), self.schema, None))  # type: ignore[call-overload]


def _register(subject: str, schema: str) -> int:
    url = f"{RegistrySettings.load().url}/subjects/{subject}/versions"
    return int(httpx.post(url, json={"schema": schema}).raise_for_status().json()["id"])


@pytest.fixture
def wire(desk: Desk) -> Wire:
    """Of the events' own schema."""
    return Wire(_register(f"{desk.kafka.topic}-value", SCHEMA_TEXT), SCHEMA)


@pytest.fixture
def wire_of(desk: Desk) -> Iterator[Any]:
    """Of any schema."""
    subject = f"{desk.kafka.topic}-other"
    yield lambda schema: Wire(_register(subject, json.dumps(schema)), fastavro.parse_schema(schema))
    httpx.delete(f"{RegistrySettings.load().url}/subjects/{subject}")


@pytest.fixture
def desk(stack: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:  # noqa: ARG001 - whose environment is read
    name = f"test-dlq-{uuid.uuid4().hex[:12]}"
    names = {"KAFKA_TOPIC": name, "KAFKA_DEAD_LETTER_TOPIC": f"{name}-dead-letters"}
    for variable, value in names.items():
        monkeypatch.setenv(variable, value)
    kafka, registry = KafkaSettings.load_for("admin"), RegistrySettings.load().url
    monkeypatch.setattr("clickpulse.logs.configure_logging", lambda *_, **__: None)  # which is for good
    ensure_topics(kafka, timeout_seconds=30)
    yield Desk(kafka)
    admin = AdminClient(kafka.client_config())
    for answer in admin.delete_topics([topic.name for topic in wanted_topics(kafka)]).values():
        answer.result(timeout=30)
    httpx.delete(f"{registry}/subjects/{name}-value")
