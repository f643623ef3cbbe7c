"""Reads topics from one offset to another, as fast as Python can: by a consumer that joins no group."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from clickpulse.accounting.columns import MINUTE_MS, Ints, Mask
from clickpulse.accounting.wire import WireReader
from clickpulse.clients import kafka_consumer
from clickpulse.completeness import PartitionView
from clickpulse.errors import ConfigurationError, TransientError
from connect.positions import GroupPositions

if TYPE_CHECKING:
    from clickpulse.accounting.book import Book
    from clickpulse.settings import KafkaSettings, SinkSettings

ANSWER_SECONDS = 10.0
SILENCE_SECONDS = 30.0
"""Without a message for so long, Kafka is not answering."""

AT_ONCE = 20_000
"""Messages that are held as Python objects."""
_POLL_SECONDS = 0.5

Spans = Mapping[int, tuple[int, int]]
"""By partition: the first offset to read, and the one after the last."""


class Chunk(NamedTuple):
    """Messages with their places."""

    messages: list[Message]
    partition: Ints
    offset: Ints


Progress = Callable[[int, int], None]
"""Is told how many messages are done, and of how many."""


class TopicReader:
    """One topic, read by assigned partitions. Connects at the first question; the caller closes it."""

    def __init__(self, kafka: KafkaSettings, topic: str) -> None:
        self._topic = topic
        self._address = kafka.bootstrap_servers
        self._consumer = kafka_consumer(
            kafka,
            group_id="clickpulse-reconcile",  # which the driver wants, and which is never joined
            enable_auto_offset_store=False,
            auto_offset_reset="error",  # what was removed meanwhile must not be skipped in silence
            enable_partition_eof=True,
            queued_max_messages_kbytes=65_536,
            fetch_wait_max_ms=100,
        )

    def close(self) -> None:
        self._consumer.close()

    def bounds(self) -> dict[int, tuple[int, int]]:
        """First offset and end of each partition; nothing if there is no such topic. Raises `TransientError`."""
        try:
            topic = self._consumer.list_topics(self._topic, timeout=ANSWER_SECONDS).topics[self._topic]
            if topic.error is None:
                return {partition: self._watermarks(partition) for partition in sorted(topic.partitions)}
        except KafkaException as error:
            raise self._away(error) from error
        if topic.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return {}
        raise self._away(KafkaException(topic.error))

    def starts(self, partitions: Mapping[int, int], time_ms: int) -> dict[int, int]:
        """The first message at or after a time, by Kafka's timestamp.

        Args:
            partitions: the end of each, for those that have no such message.
            time_ms: milliseconds since the epoch.

        Raises:
            TransientError: Kafka does not answer.
        """
        asked = [TopicPartition(self._topic, partition, max(0, time_ms)) for partition in partitions]
        try:
            found = self._consumer.offsets_for_times(asked, timeout=ANSWER_SECONDS)
        except KafkaException as error:
            raise self._away(error) from error
        for place in found:
            if place.error is not None:
                raise self._away(KafkaException(place.error))
        return {place.partition: place.offset if place.offset >= 0 else partitions[place.partition] for place in found}

    def first_times(self, spans: Spans) -> dict[int, int]:
        """Kafka's timestamp of the first message of each span, milliseconds since the epoch."""
        times: dict[int, int] = {}
        for partition, span in spans.items():
            with closing(self.read({partition: span}, at_once=1)) as chunks:
                for chunk in chunks:
                    times[partition] = int(chunk.messages[0].timestamp()[1])
                    break
        return times

    def read(
        self, spans: Spans, progress: Progress | None = None, *, at_once: int = AT_ONCE
    ) -> Generator[Chunk, None, None]:
        """The messages of the spans; each partition in its order.

        Raises:
            TransientError: Kafka does not answer.
        """
        left = {partition: span for partition, span in spans.items() if span[0] < span[1]}
        total = sum(end - start for start, end in left.values())
        try:
            self._consumer.assign(
                [TopicPartition(self._topic, partition, start) for partition, (start, _) in left.items()]
            )
            for chunk in self._until(left, at_once):
                yield chunk
                if progress is not None:
                    progress(total - _size(left), total)
        except KafkaException as error:
            raise self._away(error) from error
        finally:
            self._consumer.unassign()

    def _until(self, left: dict[int, tuple[int, int]], at_once: int) -> Iterator[Chunk]:
        """Until nothing is left; `left` is kept up to date."""
        deadline = time.monotonic() + SILENCE_SECONDS
        while left:
            came = self._consumer.consume(min(at_once, _size(left)), _POLL_SECONDS)
            if came:
                deadline = time.monotonic() + SILENCE_SECONDS
            elif time.monotonic() > deadline:
                raise TransientError(f"Kafka {self._address}: no message of {self._topic} in {SILENCE_SECONDS:g} s")
            ended = [message for message in came if message.error() is not None]
            chunk = _chunk([message for message in came if message.error() is None] if ended else came)
            wanted = np.zeros(len(chunk.messages), np.bool_)
            for partition in np.unique(chunk.partition).tolist():
                mine = chunk.partition == partition
                if partition in left:
                    wanted |= mine & (chunk.offset < left[partition][1])
                    self._advance(left, partition, int(chunk.offset[mine].max()) + 1)
            for message in ended:  # after the messages, which may have come with it
                self._advance(left, message.partition(), _position_at_end(message))
            if wanted.any():
                yield chunk if wanted.all() else _chosen(chunk, wanted)

    def _advance(self, left: dict[int, tuple[int, int]], partition: int, position: int) -> None:
        if partition not in left:
            return
        end = left[partition][1]
        if position < end:
            left[partition] = (position, end)
            return
        del left[partition]
        if left:
            self._consumer.pause([TopicPartition(self._topic, partition)])

    def _watermarks(self, partition: int) -> tuple[int, int]:
        found = self._consumer.get_watermark_offsets(TopicPartition(self._topic, partition), timeout=ANSWER_SECONDS)
        if found is None:
            raise TransientError(f"Kafka {self._address} does not answer within {ANSWER_SECONDS:g} s")
        return int(found[0]), int(found[1])

    def _away(self, error: KafkaException) -> TransientError | ConfigurationError:
        problem = error.args[0]
        if problem.code() in {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.UNKNOWN_TOPIC_OR_PART}:
            return ConfigurationError(
                f"Kafka's user may not read {self._topic}, or there is no such topic ({problem.str()}): "
                "`python -m broker.setup` makes the topics and says who may do what"
            )
        return TransientError(f"Kafka {self._address} does not answer: {problem.str()}")


class EventsTopic:
    """The events' topic: where it and the sink stand, and its messages into a book."""

    def __init__(self, kafka: KafkaSettings, sink: SinkSettings, wire: WireReader) -> None:
        self._reader = TopicReader(kafka, kafka.topic)
        self._positions = GroupPositions(kafka, sink)
        self._wire = wire

    def close(self) -> None:
        self._reader.close()
        self._positions.close()

    def look(self) -> dict[int, PartitionView]:
        """First offset, end and the sink's committed offset of each partition. Raises `TransientError`."""
        return self._positions.look()

    def starts(self, ends: Mapping[int, int], time_ms: int) -> dict[int, int]:
        """See `TopicReader.starts`."""
        return self._reader.starts(ends, time_ms)

    def first_times(self, spans: Spans) -> dict[int, int]:
        """See `TopicReader.first_times`."""
        return self._reader.first_times(spans)

    def enter(self, book: Book, spans: Spans, first_minute: int, progress: Progress | None = None) -> None:
        """Write the messages of the spans into the book; `first_minute` is the range's, in minutes of the epoch.

        Raises:
            TransientError: Kafka or the registry does not answer.
        """
        for chunk in self._reader.read(spans, progress):
            messages = chunk.messages
            decoded = self._wire.read([message.value() for message in messages])
            for place in np.flatnonzero(~decoded.readable).tolist():
                decoded.time_ms[place] = messages[place].timestamp()[1]
            minutes = decoded.time_ms // MINUTE_MS - first_minute
            for partition in np.unique(chunk.partition).tolist():
                mine = chunk.partition == partition
                book.enter(partition, chunk.offset[mine], minutes[mine], decoded.shorts[mine])


def _size(left: Spans) -> int:
    return sum(end - start for start, end in left.values())


def _chunk(messages: list[Message]) -> Chunk:
    partition, offset = (
        np.fromiter(map(method, messages), np.int64, len(messages)) for method in (Message.partition, Message.offset)
    )
    return Chunk(messages, partition, offset)


def _chosen(chunk: Chunk, which: Mask) -> Chunk:
    messages = [chunk.messages[place] for place in np.flatnonzero(which).tolist()]
    return Chunk(messages, chunk.partition[which], chunk.offset[which])


def _position_at_end(message: Message) -> int:
    """Where the partition ends, of a message that says so; any other error is raised."""
    error = message.error()
    if error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - the driver's name
        raise KafkaException(error)
    return int(message.offset())
