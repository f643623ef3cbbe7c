"""How far the sink's group has come in the topic, asked by a consumer that never joins the group.

Not by the driver's admin client, which ends the whole process with a failed assertion when the broker dies in the
middle of such a question; the worker would end with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import KafkaException, TopicPartition

from clickpulse.clients import kafka_consumer
from clickpulse.completeness import PartitionView
from clickpulse.errors import TransientError

if TYPE_CHECKING:
    from clickpulse.settings import KafkaSettings, SinkSettings

_SECONDS = 2.0
"""For each answer."""


class GroupPositions:
    """Connects at the first look; used by one thread."""

    def __init__(self, kafka: KafkaSettings, sink: SinkSettings) -> None:
        self._consumer = kafka_consumer(kafka, group_id=sink.group_id)
        self._topic = kafka.topic
        self._partitions: list[TopicPartition] = []

    def look(self) -> dict[int, PartitionView]:
        """Committed offset, first and end of each partition. Raises `TransientError`."""
        try:
            return self._look()
        except KafkaException as error:
            raise TransientError(f"Kafka does not answer: {error.args[0].str()}") from error

    def close(self) -> None:
        self._consumer.close()

    def _look(self) -> dict[int, PartitionView]:
        if not self._partitions:
            topic = self._consumer.list_topics(self._topic, timeout=_SECONDS).topics[self._topic]
            if topic.error is not None:
                raise KafkaException(topic.error)
            self._partitions = [TopicPartition(self._topic, partition) for partition in sorted(topic.partitions)]
        views = {}
        for position in self._consumer.committed(self._partitions, timeout=_SECONDS):
            if position.error is not None:
                raise KafkaException(position.error)
            bounds = self._consumer.get_watermark_offsets(position, timeout=_SECONDS)
            if bounds is None:
                raise TransientError(f"Kafka does not answer within {_SECONDS:g} s")
            committed = position.offset if position.offset >= 0 else None
            views[position.partition] = PartitionView(
                first_after=None, end=bounds[1], committed=committed, low=bounds[0]
            )
        return views
