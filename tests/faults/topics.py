"""Kafka's own word: how many dead letters there are, what they say, and messages written without the producer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from clickpulse.clients import kafka_consumer, kafka_producer
from clickpulse.settings import KafkaSettings

_SECONDS = 10
_READ_SECONDS = 30


@dataclass(frozen=True)
class Letter:
    """A dead letter: its headers as text, and its value."""

    headers: dict[str, str]
    value: bytes | None = field(repr=False)

    @property
    def error_class(self) -> str:
        return self.headers.get("dlq.error_class", "")

    @property
    def reason(self) -> str:
        return self.headers.get("dlq.reason", "")

    @property
    def origin(self) -> tuple[int, int] | None:
        """Partition and offset of the message that was set aside; None where it never reached a topic."""
        if "dlq.partition" not in self.headers:
            return None
        return int(self.headers["dlq.partition"]), int(self.headers["dlq.offset"])


def dead_letter_ends() -> dict[int, int]:
    """The offset after the last dead letter of each partition."""
    settings = KafkaSettings.load_for("viewer")
    consumer = _viewer(settings)
    try:
        return {
            number: consumer.get_watermark_offsets(_at(settings, number), timeout=_SECONDS)[1]
            for number in _partitions(consumer, settings.dead_letter_topic)
        }
    finally:
        consumer.close()


def dead_letters_since(begins: dict[int, int]) -> list[Letter]:
    """The dead letters from these offsets to the ends of now."""
    settings, ends = KafkaSettings.load_for("viewer"), dead_letter_ends()
    left = {number for number, end in ends.items() if end > begins.get(number, 0)}
    if not left:
        return []
    consumer = _viewer(settings)
    try:
        consumer.assign([_at(settings, number, begins.get(number, 0)) for number in left])
        letters: list[Letter] = []
        while left:
            message = consumer.poll(_READ_SECONDS)
            assert message is not None, f"dead letters could not be read within {_READ_SECONDS} s"
            if message.error() is not None:
                assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
                left.discard(message.partition())
                continue
            letters.append(_letter(message))
        return letters
    finally:
        consumer.close()


def send_raw(messages: Sequence[tuple[bytes | None, bytes | None, int, int]]) -> list[tuple[int, int]]:
    """Write (key, value, timestamp in ms, partition) as they are; returns partition and offset of each.

    A partition of -1 leaves the choice to the key. Fails where Kafka refuses one.
    """
    settings = KafkaSettings.load_for("producer")
    producer = kafka_producer(settings, enable_idempotence=True, partitioner="murmur2_random")
    places: dict[int, tuple[int, int]] = {}

    def took(number: int, error: KafkaError | None, message: Message) -> None:
        assert error is None, f"Kafka refuses message {number}: {error}"
        places[number] = (message.partition(), message.offset())

    for number, (key, value, timestamp, partition) in enumerate(messages):
        producer.produce(
            settings.topic,
            value,
            key,
            partition,
            on_delivery=lambda error, message, number=number: took(number, error, message),
            timestamp=timestamp,
        )
    assert producer.flush(_READ_SECONDS) == 0, "Kafka did not take the messages"
    return [places[number] for number in range(len(messages))]


def _viewer(settings: KafkaSettings) -> Consumer:
    """A consumer that joins no group: the name is the library's demand."""
    return kafka_consumer(settings, group_id="faults-no-group", enable_partition_eof=True)


def _partitions(consumer: Consumer, topic: str) -> list[int]:
    return sorted(consumer.list_topics(topic, timeout=_SECONDS).topics[topic].partitions)


def _at(settings: KafkaSettings, partition: int, offset: int = 0) -> TopicPartition:
    return TopicPartition(settings.dead_letter_topic, partition, offset)


def _letter(message: Message) -> Letter:
    headers: list[tuple[str, Any]] = message.headers() or []
    return Letter({name: (text or b"").decode("utf-8", "replace") for name, text in headers}, message.value())
