"""The group member, and its offsets in Kafka."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from clickpulse.errors import TransientError
from clickpulse.settings import KafkaSettings, SinkSettings
from connect.sink.runner import KAFKA
from connect.sink.start import PartitionOffsets
from connect.sink.status import Status

TIMEOUT_SECONDS = 5.0
_NO_LONGER_OURS = frozenset(
    {
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.FENCED_INSTANCE_ID,
    }
)
log = structlog.get_logger()


def group_member(kafka: KafkaSettings, sink: SinkSettings, status: Status) -> Consumer:
    """A consumer of the sink's group, not subscribed yet.

    The session is short, so that a killed sink's partitions are free soon; with an instance id the same sink takes
    them back at once. The queue is small enough to keep the sink's memory low, large enough for full batches.
    """

    def on_error(error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - how the driver names it
            status.paused(KAFKA, f"Kafka: {error.str()}")

    config: dict[str, Any] = kafka.client_config() | {
        "group.id": sink.group_id,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        "allow.auto.create.topics": False,
        "session.timeout.ms": 10_000,
        "heartbeat.interval.ms": 2_000,
        "topic.metadata.refresh.interval.ms": 10_000,
        "queued.min.messages": 200_000,
        "queued.max.messages.kbytes": 32_768,
        "fetch.error.backoff.ms": 100,
        "log.connection.close": False,
        "error_cb": on_error,
        "logger": structlog.get_logger("librdkafka"),
    }
    if sink.instance_id:
        config["group.instance.id"] = sink.instance_id
    return Consumer(config)


class GroupOffsets:
    """The group's offsets of one topic. Usable from any thread while the consumer is open."""

    def __init__(self, consumer: Consumer, topic: str) -> None:
        self._consumer = consumer
        self._topic = topic

    def read(self, partitions: Sequence[int]) -> dict[int, PartitionOffsets]:
        """Ask the broker. Raises `TransientError`."""
        try:
            asked = [TopicPartition(self._topic, partition) for partition in partitions]
            committed = self._consumer.committed(asked, timeout=TIMEOUT_SECONDS)
            return {position.partition: self._offsets_of(position) for position in committed}
        except KafkaException as error:
            raise TransientError(f"Kafka: reading offsets: {error}") from error

    def _offsets_of(self, committed: TopicPartition) -> PartitionOffsets:
        if committed.error is not None:
            raise KafkaException(committed.error)
        asked = TopicPartition(self._topic, committed.partition)
        low, high = self._consumer.get_watermark_offsets(asked, timeout=TIMEOUT_SECONDS)
        return PartitionOffsets(low, high, committed.offset if committed.offset >= 0 else None)

    def commit(self, ends: Mapping[int, int]) -> None:
        """Return when the broker has the offsets, or they are no longer this member's to commit.

        In the latter case the next owner skips what is stored. Raises `TransientError`.
        """
        offsets = [TopicPartition(self._topic, partition, offset) for partition, offset in ends.items()]
        try:
            answers = self._consumer.commit(offsets=offsets, asynchronous=False) or ()
        except KafkaException as error:
            errors = [error.args[0]]
        else:
            errors = [answer.error for answer in answers if answer.error is not None]
        for failure in errors:
            if failure.code() not in _NO_LONGER_OURS:
                raise TransientError(f"Kafka: committing offsets: {failure.str()}")
        if errors:
            log.warning("not committed: the partitions are another's now", reason=errors[0].str())
