"""A minute with Kafka Connect: garbage among the events, and `kill -9` of the worker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from confluent_kafka import Consumer, TopicPartition

from clickpulse.clients import kafka_producer
from clickpulse.settings import PROJECT_ROOT, KafkaSettings, ReportReaderSettings
from clickpulse.windows import MinuteWindow
from tests.support import run_clickpulse, wait_for

RATE = 100
KILL_AT_SECOND = 20
GARBAGE = [b"", b"\0", b"this is not Avro", b"\0\0\0\x12\x67and of no known schema"]

pytestmark = pytest.mark.usefixtures("connect_sink")


@pytest.mark.timeout(600)
def test_garbage_is_dead_lettered_and_a_killed_worker_loses_nothing(tmp_path: Path) -> None:
    window = MinuteWindow.containing(datetime.now(UTC) + timedelta(seconds=60))
    before = dead_letters()
    summary = tmp_path / "summary.json"
    seconds = (window.end - datetime.now(UTC)).total_seconds() + 3
    command = ["simulate", "--rate", str(RATE), "--flat", "--seed", "5", "--quiet", "--duration", f"{seconds:.0f}"]
    traffic = subprocess.Popen(
        [sys.executable, "-m", "clickpulse", *command, "--summary", str(summary)], cwd=PROJECT_ROOT
    )
    try:
        at = window.start + timedelta(seconds=KILL_AT_SECOND)
        wait_for(lambda: datetime.now(UTC) >= at - timedelta(seconds=5), seconds=120, what=f"{at}")
        produce_garbage()
        wait_for(lambda: datetime.now(UTC) >= at, seconds=10, what=f"{at}, to kill the worker")
        killed = connect_service()["pid"]
        os.kill(killed, signal.SIGKILL)
        wait_for(lambda: connect_service()["pid"] not in (None, killed), seconds=60, what="a new worker")
        assert traffic.wait(180) == 0, "the producer could not deliver everything"
    finally:
        traffic.terminate()
        traffic.wait(30)

    acknowledged = json.loads(summary.read_text())["acknowledged_per_minute"][str(window)]
    report = wait_for(lambda: fetch(window), seconds=180, what=f"the report of {window}")
    assert report["complete"], report["completeness"]["reason"]
    assert report["totals"]["events"] == acknowledged
    assert sorted(dead_letters()[len(before) :]) == sorted(GARBAGE)
    wait_for(lambda: connect_service()["health"] == "healthy", seconds=60, what="the worker to be healthy")
    assert json.loads(run_clickpulse("connect", "status", "--json"))["running"] is True


def connect_service() -> dict:
    """The service as `status` shows it; its exit status tells of all of them."""
    command = [sys.executable, "-m", "clickpulse", "status", "--json"]
    done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, check=False)
    (found,) = [one for one in json.loads(done.stdout)["services"] if one["name"] == "connect"]
    return found


def produce_garbage() -> None:
    kafka = KafkaSettings.load_for("producer")
    producer = kafka_producer(kafka)
    for value in GARBAGE:
        producer.produce(kafka.topic, value=value)
    assert producer.flush(30) == 0


def dead_letters() -> list[bytes]:
    """The values of all dead letters so far, in their order."""
    kafka = KafkaSettings.load_for("admin")
    consumer = Consumer(kafka.client_config() | {"group.id": "none", "enable.auto.commit": False})
    partition = TopicPartition(kafka.dead_letter_topic, 0)
    low, high = consumer.get_watermark_offsets(partition, timeout=30)
    consumer.assign([TopicPartition(kafka.dead_letter_topic, 0, low)])
    values: list[bytes] = []

    def read() -> bool:
        values.extend(message.value() for message in consumer.consume(100, 0.5) if message.error() is None)
        return len(values) >= high - low

    wait_for(read, seconds=30, what=f"{high - low} dead letters")
    consumer.close()
    return values


def fetch(window: MinuteWindow) -> dict | None:
    answer = httpx.get(f"{ReportReaderSettings.load().url}api/v1/reports/{window}")
    return answer.json() if answer.is_success else None
