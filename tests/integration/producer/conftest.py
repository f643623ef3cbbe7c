"""Topics of a test's own, the command line as a user runs it, and a consumer that shares no code with the producer."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka import TopicPartition
from fastavro import parse_schema, schemaless_reader

from broker.topics import ensure_topics, wanted_topics
from clickpulse.clients import kafka_admin, kafka_consumer
from clickpulse.settings import PROJECT_ROOT, KafkaSettings, RegistrySettings
from tests.support import kafka_login

SCHEMA = parse_schema(json.loads((PROJECT_ROOT / "producer" / "schemas" / "user_interaction.avsc").read_text()))


@dataclass(frozen=True)
class Received:
    """A message as an independent reader sees it; `event` is None for a topic that is not decoded."""

    partition: int
    key: bytes
    value: bytes
    timestamp_ms: int
    headers: dict[str, str]
    event: dict[str, Any] | None


@dataclass(frozen=True)
class OwnTopics:
    """The settings of a test's own topics, and the environment that makes a command use them."""

    kafka: KafkaSettings
    environment: dict[str, str]

    def start(self, *arguments: str | Path, **variables: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "clickpulse", *map(str, arguments)]
        environment = self.environment | variables
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=PROJECT_ROOT, env=environment, stdout=pipe, stderr=pipe, text=True)

    def run(self, *arguments: str | Path, timeout: float = 120, **variables: str) -> tuple[int, str, str]:
        """Status, standard output and standard error of `clickpulse ARGUMENTS`."""
        process = self.start(*arguments, **variables)
        try:
            output, errors = process.communicate(timeout=timeout)
        finally:
            process.kill()
        return process.returncode, output, errors

    def account(self, *arguments: str | Path, status: int = 0, **variables: str) -> dict[str, Any]:
        """The account that the command prints with --json."""
        code, output, errors = self.run(*arguments, "--json", **variables)
        assert code == status, errors
        return dict(json.loads(output))

    def events(self) -> list[Received]:
        """All messages of the events' topic, decoded."""
        return read_all(self.kafka, self.kafka.topic, decode=True)

    def dead_letters(self) -> list[Received]:
        return read_all(self.kafka, self.kafka.dead_letter_topic, decode=False)


def read_all(kafka: KafkaSettings, topic: str, *, decode: bool) -> list[Received]:
    """What is in the topic now, from each partition's beginning to its end."""
    consumer = kafka_consumer(kafka, group_id=f"test-{uuid.uuid4()}", fetch_message_max_bytes=20_000_000)
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        ends = {
            number: consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=10) for number in partitions
        }
        wanted = sum(high - low for low, high in ends.values())
        consumer.assign([TopicPartition(topic, number, low) for number, (low, _high) in ends.items()])
        received: list[Received] = []
        deadline = time.monotonic() + 60
        while len(received) < wanted:
            assert time.monotonic() < deadline, f"{len(received)} of {wanted} messages of {topic} within a minute"
            for message in consumer.consume(1000, timeout=1):
                assert message.error() is None, message.error()
                received.append(_received(message, decode=decode))
        return received
    finally:
        consumer.close()


def _received(message: Any, *, decode: bool) -> Received:
    value = message.value()
    return Received(
        partition=message.partition(),
        key=message.key(),
        value=value,
        timestamp_ms=message.timestamp()[1],
        headers={name: text.decode() for name, text in message.headers() or []},
        event=dict(schemaless_reader(io.BytesIO(value[5:]), SCHEMA, None)) if decode else None,
    )


@pytest.fixture
def own_topics(stack: Path) -> Iterator[OwnTopics]:  # noqa: ARG001 - whose environment the settings are read from
    """Fresh topics, deleted afterwards; programs use them as the admin, as no other user may."""
    name = f"test-producer-{uuid.uuid4().hex[:12]}"
    names = {"KAFKA_TOPIC": name, "KAFKA_DEAD_LETTER_TOPIC": f"{name}-dead-letters"}
    kafka = KafkaSettings.load_for("admin", topic=name, dead_letter_topic=names["KAFKA_DEAD_LETTER_TOPIC"])
    ensure_topics(kafka, timeout_seconds=20)
    yield OwnTopics(kafka, dict(os.environ) | names | kafka_login(kafka))
    admin = kafka_admin(kafka)
    existing = set(admin.list_topics(timeout=10).topics)
    if mine := [topic.name for topic in wanted_topics(kafka) if topic.name in existing]:
        for deleted in admin.delete_topics(mine).values():
            deleted.result(timeout=20)
    # A subject that no test registered answers 404, which is as good.
    httpx.delete(f"{RegistrySettings.load().url}/subjects/{name}-value")


@pytest.fixture
def wait_until() -> Callable[..., None]:
    """Wait for a condition; fails with the description after the time allowed."""

    def wait(condition: Callable[[], bool], description: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not within {seconds} s: {description}"
            time.sleep(0.1)

    return wait
