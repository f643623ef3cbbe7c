"""A minute's completeness against a real broker and a real sink."""

from __future__ import annotations

import time
from typing import Any

import pytest

from clickpulse.completeness import await_window, kafka_offsets
from clickpulse.settings import KafkaSettings, ReportSettings, SinkSettings
from clickpulse.windows import MinuteWindow

WINDOW = MinuteWindow.parse("2025-03-01T12:00Z")
START_MS = WINDOW.end_ms - 60_000
SETTINGS = ReportSettings(idle_partition_seconds=0.5, completeness_timeout_seconds=1)


@pytest.fixture
def offsets(world: Any) -> Any:
    return kafka_offsets(world.kafka, SinkSettings(group_id=world.name))


def produce(world: Any, times_ms: list[int], partition: int) -> None:
    producer = world.producer()
    for number, at in enumerate(times_ms):
        value = world.wire(world.event(event_timestamp=at))
        producer.produce(world.kafka.topic, key=str(number), value=value, timestamp=at, partition=partition)
    assert producer.flush(30) == 0


def test_complete_when_the_sink_has_committed_past_the_minute(world: Any, offsets: Any) -> None:
    for partition in range(world.partitions - 1):
        produce(world, [START_MS + 1000 * n for n in range(60)] + [WINDOW.end_ms + n for n in range(5)], partition)
    produce(world, [START_MS + 5], world.partitions - 1)

    lagging = await_window(offsets, WINDOW, SETTINGS)
    assert not lagging.complete
    assert lagging.reason.startswith("the sink lags: partition 0 at 0 of 65")
    assert lagging.cutoff == dict.fromkeys(range(world.partitions), 0)

    sink = world.start_sink()
    sink.wait_ready()
    world.wait_caught_up(sink)
    began = time.monotonic()
    found = await_window(offsets, WINDOW, SETTINGS)
    assert time.monotonic() - began < 0.25
    assert found.complete
    assert found.targets == found.cutoff == world.ends()
    stored = world.in_clickhouse()
    assert len(stored) == 65 * (world.partitions - 1) + 1
    assert all(offset < found.cutoff[partition] for _, partition, offset in stored)


def test_a_look_is_cheap(world: Any, offsets: Any) -> None:
    produce(world, [START_MS], 0)
    offsets.look(WINDOW.end_ms)  # connects
    took = []
    for _ in range(20):
        began = time.perf_counter()
        offsets.look(WINDOW.end_ms)
        took.append(time.perf_counter() - began)
    assert sorted(took)[10] < 0.1, "the median on a busy machine; a few milliseconds on a quiet one"


def test_finds_the_first_message_after_the_minute(world: Any, offsets: Any) -> None:
    produce(world, [START_MS, START_MS + 59_999, WINDOW.end_ms, WINDOW.end_ms + 1], 0)
    produce(world, [START_MS], 1)
    views = offsets.look(WINDOW.end_ms)
    assert (views[0].first_after, views[0].end, views[0].committed, views[0].low) == (2, 4, None, 0)
    assert (views[1].first_after, views[1].end) == (None, 1)
    assert (views[2].first_after, views[2].end) == (None, 0)


def test_a_broker_that_is_not_there_is_named(world: Any) -> None:
    nowhere = KafkaSettings(**world.kafka.model_dump() | {"bootstrap_servers": f"127.0.0.1:{world.free_port()}"})
    result = await_window(kafka_offsets(nowhere, SinkSettings(group_id=world.name)), WINDOW, SETTINGS)
    assert not result.complete
    assert "Kafka does not answer" in result.reason
    assert result.cutoff == {}
