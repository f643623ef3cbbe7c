"""A topic, a database and a bucket of a test's own, filled step by step as the pipeline would."""

from __future__ import annotations

import io
import json
import secrets
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fastavro
import httpx
import pytest
from clickhouse_connect.driver.client import Client
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from clickpulse.clients import clickhouse_client, report_writer, s3_client
from clickpulse.events import EventType
from clickpulse.objects import WindowObjects
from clickpulse.settings import (
    PROJECT_ROOT,
    ClickHouseSettings,
    KafkaSettings,
    RegistrySettings,
    ReportWriterSettings,
    S3Settings,
)
from clickpulse.windows import MINUTE, MinuteWindow
from dashboard_api.example_report import EXAMPLE_REPORT

PARTITIONS = 3
SECONDS = 60
SCHEMA = json.loads((PROJECT_ROOT / "producer/schemas/user_interaction.avsc").read_text())
PARSED = fastavro.parse_schema(SCHEMA)
EXPORT = Path(__file__).with_name("rows.sql").read_text()
COLUMNS = [
    "event_id", "user_id", "session_id", "event_type", "event_timestamp", "request_latency_ms", "status",
    "kafka_partition", "kafka_offset", "arrived_at",
]  # fmt: skip


@dataclass(frozen=True)
class Sent:
    """A message as Kafka acknowledged it."""

    partition: int
    offset: int
    event: dict[str, Any]


@dataclass
class Pipeline:
    """The test's own services; `first` is a minute long ago that no other test has reports of."""

    kafka: KafkaSettings
    clickhouse: Client
    s3: S3Settings
    schema_id: int
    group: str
    first: MinuteWindow
    producer: Producer
    sent: list[Sent] = field(default_factory=list)

    def window(self, minute: int) -> MinuteWindow:
        return MinuteWindow(self.first.start + minute * MINUTE)

    def event(self, minute: int, second: float = 30) -> dict[str, Any]:
        return {
            "event_id": str(uuid.uuid4()),
            "user_id": str(uuid.uuid4()),
            "session_id": str(uuid.uuid4()),
            "event_type": "SEARCH",
            "event_timestamp": int((self.window(minute).start.timestamp() + second) * 1000),
            "request_latency_ms": 5,
            "status": "SUCCESS",
            "error_code": None,
            "product_id": None,
        }

    def send(
        self, event: dict[str, Any], partition: int, value: bytes | None = None, *, kafka_ms: int | None = None
    ) -> Sent:
        """One message, acknowledged; Kafka's timestamp is the event's, unless it is another producer's."""
        stream = io.BytesIO()
        fastavro.schemaless_writer(stream, PARSED, event)
        content = value or b"\0" + self.schema_id.to_bytes(4, "big") + stream.getvalue()
        places: list[Sent] = []
        self.producer.produce(
            self.kafka.topic,
            content,
            partition=partition,
            timestamp=kafka_ms or event["event_timestamp"],
            on_delivery=lambda _, message: places.append(Sent(message.partition(), message.offset(), event)),
        )
        assert self.producer.flush(SECONDS) == 0
        self.sent += places
        return places[0]

    def fill(self, minute: int, count: int) -> list[Sent]:
        """A minute's events, sent one after the other to all partitions, stored and reported."""
        sent = [self.send(self.event(minute, number), number % PARTITIONS) for number in range(count)]
        self.store(*sent)
        return sent

    def store(self, *sent: Sent) -> None:
        """Rows of the messages, which arrived ten minutes ago."""
        arrived = datetime.now(UTC) - timedelta(minutes=10)
        rows = [
            [
                *(one.event[name] for name in COLUMNS[:4]),
                datetime.fromtimestamp(one.event["event_timestamp"] / 1000, UTC),
                one.event["request_latency_ms"],
                one.event["status"],
                one.partition,
                one.offset,
                arrived,
            ]
            for one in sent
        ]
        self.clickhouse.insert("events", rows, column_names=COLUMNS)

    def commit(self) -> None:
        """The sink's group is at the end of every partition."""
        consumer = Consumer(self.kafka.client_config() | {"group.id": self.group, "enable.auto.commit": False})
        places = [TopicPartition(self.kafka.topic, partition) for partition in range(PARTITIONS)]
        ends = [
            TopicPartition(self.kafka.topic, one.partition, consumer.get_watermark_offsets(one, timeout=SECONDS)[1])
            for one in places
        ]
        consumer.commit(offsets=ends, asynchronous=False)
        consumer.close()

    def report(self, minute: int, *, more: int = 0) -> None:
        """Let ClickHouse write the minute's rows to S3, and post a report that counts them, and `more`."""
        objects = WindowObjects(self.window(minute))
        start = objects.window.start.strftime("%Y-%m-%d %H:%M:%S")
        url = f"{str(self.s3.endpoint).rstrip('/')}/{self.s3.bucket}/{objects.events}"
        keys = {"access_key": self.s3.access_key, "secret_key": self.s3.secret_key.get_secret_value()}
        self.clickhouse.command(EXPORT, parameters={"url": url, "minute": start} | keys)
        counted = self.clickhouse.query(
            "SELECT uniqExact(event_id) FROM events WHERE toStartOfMinute(event_timestamp) = {minute:DateTime('UTC')}",
            parameters={"minute": start},
        ).result_rows[0][0]
        body = document(objects, int(counted) + more)
        with report_writer(ReportWriterSettings.load()) as writer:
            answer = writer.post("/api/v1/reports", json=body)
        assert answer.status_code == 201, answer.text

    def reconcile(self, first: int, end: int, *options: str) -> subprocess.CompletedProcess[str]:
        """The command, as a person runs it."""
        command = [sys.executable, "-m", "clickpulse", "reconcile", str(self.window(first)), str(self.window(end))]
        return subprocess.run(
            [*command, *options], cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=120, check=False
        )


def document(objects: WindowObjects, events: int) -> dict[str, Any]:
    """A report that counts so many searches."""
    nothing = {
        "events": 0, "successes": 0, "errors": 0, "success_rate": None, "error_rate": None, "error_codes": {},
        "latency_ms": None,
    }  # fmt: skip
    some = nothing | {"events": events, "successes": events}
    return EXAMPLE_REPORT | {
        "window": str(objects.window),
        "window_end": str(MinuteWindow(objects.window.end)),
        "totals": some | {"users": events, "sessions": events},
        "by_event_type": {name.value: some if name is EventType.SEARCH else nothing for name in EventType},
        "anomalies": [],
        "inputs": {"events": objects.events, "baseline": objects.baseline, "rows": events},
    }


@pytest.fixture(scope="module")
def pipeline(stack: Path) -> Iterator[Pipeline]:
    del stack
    name = f"account_{secrets.token_hex(4)}"
    bucket = name.replace("_", "-")
    environment = {
        "KAFKA_TOPIC": name,
        "KAFKA_DEAD_LETTER_TOPIC": f"{name}-dead-letters",
        "CLICKHOUSE_DATABASE": name,
        "SINK_GROUP_ID": name,
        "S3_BUCKET": bucket,
    }
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in environment.items():
            patch.setenv(variable, value)
        kafka, s3, clickhouse = KafkaSettings.load_for("admin"), S3Settings.load(), ClickHouseSettings.load()
        admin = AdminClient(kafka.client_config())
        keep = {"retention.ms": "-1"}  # the events are of long ago
        topics = [
            NewTopic(kafka.topic, PARTITIONS, 1, config=keep),
            NewTopic(kafka.dead_letter_topic, 1, 1, config=keep),
        ]
        for answer in admin.create_topics(topics).values():
            answer.result()
        registered = httpx.post(
            f"{RegistrySettings.load().url}/subjects/{name}-value/versions", json={"schema": json.dumps(SCHEMA)}
        )
        subprocess.run([sys.executable, "-m", "clickhouse.migrate"], cwd=PROJECT_ROOT, check=True, timeout=SECONDS)
        files = s3_client(s3)
        files.make_bucket(bucket)
        client = clickhouse_client(clickhouse)
        first = MinuteWindow(datetime(1985, 1, 1, tzinfo=UTC) + secrets.randbelow(2_000_000) * MINUTE)
        yield Pipeline(kafka, client, s3, registered.json()["id"], name, first, Producer(kafka.client_config()))
        for found in files.list_objects(bucket, recursive=True):
            files.remove_object(bucket, str(found.object_name))
        files.remove_bucket(bucket)
        client.command("DROP DATABASE {name:Identifier}", parameters={"name": name})
        client.close()
        for answer in admin.delete_topics([topic.topic for topic in topics]).values():
            answer.result()
