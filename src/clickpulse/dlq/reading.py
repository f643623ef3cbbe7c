"""A topic from a place to the end that it has now: no group is joined, nothing is committed, and it comes to an end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, KafkaException, TopicPartition

from clickpulse.errors import ConfigurationError, TransientError
from clickpulse.settings import KafkaSettings

ANSWER_SECONDS = 10.0
SILENCE_SECONDS = 30.0
"""Without a message for so long, Kafka is not answering."""
_MESSAGES = 500
_POLL_SECONDS = 0.5

Offsets = dict[int, int]
"""By partition."""


class TopicReader:
    """Reads topics one after the other. Connects at the first question; the caller closes it."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._address = settings.bootstrap_servers
        self._user = settings.sasl_username
        self._said = ""
        self._consumer = Consumer(
            settings.client_config()
            | {
                "group.id": "clickpulse-dlq",  # which the driver wants, and which is never joined
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "queued.max.messages.kbytes": 65_536,
                "error_cb": self._on_error,
            }
        )

    def close(self) -> None:
        self._consumer.close()

    def bounds(self, topic: str) -> dict[int, tuple[int, int]]:
        """First offset and end of each partition; nothing for a topic that does not exist.

        Raises:
            ConfigurationError: the user may not read the topic.
            TransientError: Kafka does not answer.
        """
        try:
            known = self._consumer.list_topics(topic, timeout=ANSWER_SECONDS).topics[topic]
            if known.error is not None:
                return self._no_topic(topic, known.error)
            return {number: self._watermarks(topic, number) for number in sorted(known.partitions)}
        except KafkaException as error:
            raise self._away(error.args[0].str()) from error

    def ends(self, topic: str) -> Offsets:
        """Where the next message of each partition will be; `ConfigurationError` if there is no such topic."""
        bounds = self.bounds(topic)
        if not bounds:
            raise ConfigurationError(
                f"there is no topic {topic}: `python -m broker.setup` makes the topics, or set KAFKA_TOPIC and "
                "KAFKA_DEAD_LETTER_TOPIC"
            )
        return {partition: end for partition, (_, end) in bounds.items()}

    def read(
        self, topic: str, starts: Mapping[int, int] | None = None, ends: Mapping[int, int] | None = None
    ) -> Iterator[Any]:
        """The messages from `starts` (the first) to `ends` (the end at the call), each partition in its order.

        Raises:
            TransientError: Kafka does not answer.
        """
        bounds = self.bounds(topic)
        left: Offsets = {}
        places = []
        for partition, (low, high) in bounds.items():
            start = low if starts is None else max(low, starts.get(partition, high))
            end = high if ends is None else min(high, ends.get(partition, 0))
            if start < end:
                left[partition] = end
                places.append(TopicPartition(topic, partition, start))
        self._consumer.assign(places)
        try:
            yield from self._until(topic, left)
        finally:
            self._consumer.unassign()

    def _until(self, topic: str, left: Offsets) -> Iterator[Any]:
        deadline = time.monotonic() + SILENCE_SECONDS
        while left:
            for message in self._consumer.consume(_MESSAGES, _POLL_SECONDS):
                deadline = time.monotonic() + SILENCE_SECONDS
                partition = message.partition()
                if message.error() is not None:
                    if message.error().code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - the driver's name
                        raise self._away(message.error().str())
                    left.pop(partition, None)
                    continue
                end = left.get(partition, OFFSET_INVALID)
                if message.offset() < end:
                    yield message
                if message.offset() + 1 >= end and left.pop(partition, None) is not None and left:
                    self._consumer.pause([TopicPartition(topic, partition)])
            if left and time.monotonic() > deadline:
                raise self._away(f"no message within {SILENCE_SECONDS:g} s")

    def _watermarks(self, topic: str, partition: int) -> tuple[int, int]:
        found = self._consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=ANSWER_SECONDS)
        if found is None:
            raise self._away(f"no answer within {ANSWER_SECONDS:g} s")
        return int(found[0]), int(found[1])

    def _no_topic(self, topic: str, error: KafkaError) -> dict[int, tuple[int, int]]:
        if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return {}
        if error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            raise ConfigurationError(
                f"Kafka's user {self._user} may not read {topic}: `python -m broker.setup` sets who may do what"
            )
        raise self._away(error.str())

    def _away(self, reason: str) -> TransientError:
        said = f"; {self._said}" if self._said else ""
        return TransientError(
            f"Kafka {self._address} does not answer ({reason}{said}): see `clickpulse status`, start it with "
            "`clickpulse up`, or set KAFKA_BOOTSTRAP_SERVERS"
        )

    def _on_error(self, error: KafkaError) -> None:
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - which says less than what came before it
            self._said = error.str()
