"""The sink as it is deployed, whichever it is: what is sent to the events' topic is in ClickHouse, or dead-lettered."""

from __future__ import annotations

import random
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client
from confluent_kafka import TopicPartition

from bench.bulk import encoder_for, pregenerate, send
from clickpulse.clients import clickhouse_client, kafka_consumer, kafka_producer
from clickpulse.settings import ClickHouseSettings, KafkaSettings
from clickpulse.windows import MinuteWindow
from tests.support import wait_for

EVENTS = 600
STORED_SECONDS = 60


@pytest.fixture
def window() -> MinuteWindow:
    """A minute long ago that no other test uses."""
    start = datetime(1980, 1, 1, tzinfo=UTC)
    return MinuteWindow(start + timedelta(minutes=random.SystemRandom().randrange(2_000_000)))


def stored(client: Client, window: MinuteWindow) -> tuple[int, int, int]:
    """Rows, event ids, and places in Kafka of a minute."""
    result = client.query(
        """
        SELECT count(), uniqExact(event_id), uniqExact(kafka_partition, kafka_offset)
        FROM events
        WHERE toStartOfMinute(event_timestamp) = {start:DateTime('UTC')}
        """,
        parameters={"start": window.start.strftime("%Y-%m-%d %H:%M:%S")},
    )
    rows, ids, places = result.result_rows[0]
    return int(rows), int(ids), int(places)


def test_what_was_acknowledged_is_stored_once(stack: Path, window: MinuteWindow) -> None:
    del stack
    kafka = KafkaSettings.load_for("producer")
    encoder = encoder_for(kafka)
    events = pregenerate(window, EVENTS, encoder)
    send(kafka, encoder, events)
    with clickhouse_client(ClickHouseSettings.load()) as client:
        wait_for(
            lambda: stored(client, window)[0] >= len(events), seconds=STORED_SECONDS, what=f"{len(events)} rows stored"
        )
        assert stored(client, window) == (len(events),) * 3


def test_what_is_no_event_is_dead_lettered(stack: Path) -> None:
    del stack
    garbage = b"no event " + secrets.token_bytes(12)
    kafka = KafkaSettings.load_for("producer")
    producer = kafka_producer(kafka)
    producer.produce(kafka.topic, key=b"nobody", value=garbage)
    assert producer.flush(30) == 0
    wait_for(lambda: garbage in dead_letters(), seconds=STORED_SECONDS, what="the dead letter")


def dead_letters() -> list[bytes]:
    """The values of the newest dead letters, at most a hundred of each partition."""
    kafka = KafkaSettings.load_for("admin")
    consumer = kafka_consumer(kafka, group_id=f"test-{secrets.token_hex(4)}")
    try:
        topic, left, places = kafka.dead_letter_topic, 0, []
        for partition in consumer.list_topics(topic, timeout=10).topics[topic].partitions:
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
            first = max(low, high - 100)
            places.append(TopicPartition(topic, partition, first))
            left += high - first
        consumer.assign(places)
        found = []
        while len(found) < left and (messages := consumer.consume(left - len(found), timeout=10)):
            found += [message.value() for message in messages if message.error() is None]
        return found
    finally:
        consumer.close()
