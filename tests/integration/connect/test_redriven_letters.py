"""Dead letters on their way round: sink, dead-letter topic, `clickpulse dlq redrive`, sink; events of the future."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import fastavro
import pytest

from clickpulse.settings import PROJECT_ROOT

pytestmark = pytest.mark.timeout(240)

SECOND_MS = 1000
MAPPING = """
name: anonymous
fields:
  user_id: {uuid5: [user_id]}
  session_id: {column: session_id}
  event_type: {column: event_type}
  event_timestamp: {column: event_timestamp, unit: ms}
  request_latency_ms: {column: request_latency_ms}
  status: {column: status}
"""


def dlq(world: Any, *arguments: str | Path) -> Any:
    """The JSON that `clickpulse dlq ARGUMENTS` prints."""
    command = [sys.executable, "-m", "clickpulse", "dlq", *map(str, arguments), "--json"]
    done = subprocess.run(
        command, cwd=PROJECT_ROOT, env=os.environ | world.environment, capture_output=True, text=True, check=False
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def letters(world: Any) -> list[tuple[bytes | None, dict[str, str]]]:
    """Value and headers of each letter, in their order."""
    return [
        (message.value(), {name: value.decode() for name, value in message.headers() or []})
        for message in world.read_topic(world.kafka.dead_letter_topic)
    ]


def time_of(world: Any, value: bytes | None) -> int:
    """The event's own time, ms since the epoch, whatever calendar it is beyond."""
    schema = json.loads(json.dumps(world.schema).replace("logicalType", "was"))
    return int(fastavro.schemaless_reader(io.BytesIO((value or b"")[5:]), schema, None)["event_timestamp"])


def test_a_mapping_mends_what_the_sink_refused_and_garbage_does_not_go_round(world: Any, tmp_path: Path) -> None:
    (tmp_path / "mapping.yaml").write_text(MAPPING)
    wrong = world.event(user_id="ada@example.org")
    world.produce([world.wire(world.event()), world.wire(wrong), b"garbage", world.wire(world.event())])
    sink = world.start_sink()
    sink.wait_ready()
    world.wait_caught_up(sink)
    assert sorted(headers["dlq.error_class"] for _, headers in letters(world)) == ["invalid-value", "not-wire-format"]

    mapped = dlq(world, "redrive", "--reason", "invalid-value", "--mapping", tmp_path / "mapping.yaml")
    assert (mapped["redriven"], mapped["problems"]) == (1, [])
    assert dlq(world, "redrive")["redriven"] == 1
    world.wait_caught_up(sink)
    assert wrong["event_id"] in {event_id for event_id, _, _ in world.in_clickhouse()}
    assert len(world.in_clickhouse()) == 3

    value, headers = letters(world)[-1]
    assert len(letters(world)) == 3
    assert (value, headers["dlq.error_class"], headers["dlq.attempt"]) == (b"garbage", "not-wire-format", "1")
    before = len(world.read_topic(world.kafka.topic))
    report = dlq(world, "redrive")
    assert (report["redriven"], report["already_redriven"], report["came_back"]) == (0, 2, 1)
    assert len(world.read_topic(world.kafka.topic)) == before
    groups = {group["error_class"]: group for group in dlq(world, "list")["groups"]}
    assert (groups["not-wire-format"]["messages"], groups["not-wire-format"]["came_back"]) == (2, 1)
    assert (groups["invalid-value"]["redriven"], groups["invalid-value"]["came_back"]) == (1, 0)


def test_events_of_the_future_are_set_aside_whatever_kafkas_timestamp_says(world: Any) -> None:
    now_ms = int(time.time() * SECOND_MS)
    times = [now_ms + seconds * SECOND_MS for seconds in (-3600, 0, 40, 400, 2000, 10**9)]
    producer = world.producer()
    for time_ms in times:
        value = world.wire(world.event(event_timestamp=time_ms))
        producer.produce(world.kafka.topic, key=b"a", value=value, timestamp=min(time_ms, now_ms + 3000 * SECOND_MS))
        producer.produce(world.kafka.topic, key=b"b", value=value)  # of a producer that gives Kafka no time
    for _ in range(300):
        producer.produce(world.kafka.topic, key=b"b", value=world.wire(world.event()))
    assert producer.flush(60) == 0
    sink = world.start_sink(SINK_MAX_FUTURE_SECONDS="60")
    sink.wait_ready()
    world.wait_caught_up(sink)

    set_aside = letters(world)
    assert len(set_aside) == 6
    assert len(world.in_clickhouse()) == 306
    for _, headers in set_aside:
        assert headers["dlq.error_class"] == "future-timestamp"
        assert "ahead of the clock" in headers["dlq.reason"]
        assert headers["dlq.reason"].endswith("SINK_MAX_FUTURE_SECONDS allows 60")
    assert sorted(time_of(world, value) for value, _ in set_aside) == sorted(2 * times[3:])


def test_the_largest_message_that_kafka_takes_can_be_set_aside(world: Any) -> None:
    """With the driver's own limit it could not be written, and would hold up its partition for ever."""
    large = b"x" * 1_040_000
    producer = world.producer(**{"message.max.bytes": 1_048_000})
    producer.produce(world.kafka.topic, key=b"a", value=large)
    producer.produce(world.kafka.topic, key=b"a", value=world.wire(world.event()))
    assert producer.flush(60) == 0
    sink = world.start_sink()
    sink.wait_ready()
    world.wait_caught_up(sink)
    assert [(value, headers["dlq.error_class"]) for value, headers in letters(world)] == [(large, "not-wire-format")]
    assert len(world.in_clickhouse()) == 1
