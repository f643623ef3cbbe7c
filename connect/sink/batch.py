"""Messages in the order ClickHouse gets them, and the numbering of the rows.

ClickHouse sees only the concatenated values. Where each row came from is told by segments: rows of one partition
without a gap in their offsets, each given by its first row in the body, its partition and its first offset.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


class Message(Protocol):
    """What the sink uses of a confluent-kafka message."""

    def value(self) -> bytes | None: ...
    def key(self) -> bytes | None: ...
    def topic(self) -> str: ...
    def partition(self) -> int: ...
    def offset(self) -> int: ...
    def timestamp(self) -> tuple[int, int]: ...
    def headers(self) -> Sequence[tuple[str, bytes | None]] | None: ...


@dataclass(frozen=True, slots=True)
class Segments:
    """Segment i starts at body row `starts[i]`, belongs to `partitions[i]`, and its first offset is `offsets[i]`."""

    starts: list[int]
    partitions: list[int]
    offsets: list[int]


class Batch:
    """Messages sorted by partition, then offset."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self.messages = messages

    def __len__(self) -> int:
        return len(self.messages)

    def body(self) -> bytes:
        """The values one after the other; every message must have one."""
        return b"".join([message.value() or b"" for message in self.messages])

    def segments(self) -> Segments:
        segments = Segments([], [], [])
        partition, expected = -1, -1
        for row, message in enumerate(self.messages):
            offset = message.offset()
            if offset != expected or message.partition() != partition:
                partition = message.partition()
                segments.starts.append(row)
                segments.partitions.append(partition)
                segments.offsets.append(offset)
            expected = offset + 1
        return segments

    def ends(self) -> dict[int, int]:
        """The offset to commit for each partition: the one after its last message."""
        return {message.partition(): message.offset() + 1 for message in self.messages}

    def halves(self) -> tuple[Batch, Batch]:
        """Two batches, the first to be delivered before the second."""
        middle = len(self.messages) // 2
        return Batch(self.messages[:middle]), Batch(self.messages[middle:])

    def filtered(self, keep: Callable[[Message], bool]) -> Batch:
        return Batch([message for message in self.messages if keep(message)])

    def not_stored(self, stored: Mapping[int, int]) -> Batch:
        """Without what an earlier insert of this batch has stored; `stored` is the highest offset per partition.

        A position outside of this batch's offsets says nothing about it: it is from before, or not this sink's.
        """
        first: dict[int, int] = {}
        for message in self.messages:
            first.setdefault(message.partition(), message.offset())
        ends = self.ends()
        own = {
            partition: position
            for partition, position in stored.items()
            if partition in ends and first[partition] <= position < ends[partition]
        }
        if not own:
            return self
        return self.filtered(lambda message: message.offset() > own.get(message.partition(), -1))


class Buffer:
    """Collects polled messages until they are handed over as one batch.

    Args:
        max_rows: full at this many messages.
        max_bytes: full at this many bytes of values.
        max_seconds: due this long after `since`, the moment from which the first message may have waited.
    """

    def __init__(self, max_rows: int, max_bytes: int, max_seconds: float) -> None:
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self.max_seconds = max_seconds
        self.clear()

    def clear(self) -> None:
        self._by_partition: defaultdict[int, list[Message]] = defaultdict(list)
        self._bytes = 0
        self.rows = 0
        self.since = 0.0

    def __bool__(self) -> bool:
        return self.rows > 0

    @property
    def room(self) -> int:
        """How many more messages fit."""
        return 0 if self._bytes >= self._max_bytes else self._max_rows - self.rows

    @property
    def due_at(self) -> float:
        """When the buffer has to be handed over, on the clock that `since` is on."""
        return self.since + self.max_seconds

    def add(self, messages: Iterable[Message], since: float) -> None:
        """Messages of one partition come in the order of their offsets, as Kafka gives them."""
        if not self.rows:
            self.since = since
        size = rows = 0
        for message in messages:
            self._by_partition[message.partition()].append(message)
            size += len(message.value() or b"")
            rows += 1
        self._bytes += size
        self.rows += rows

    def take(self) -> Batch:
        """All messages so far; the buffer is empty afterwards."""
        ordered = [message for partition in sorted(self._by_partition) for message in self._by_partition[partition]]
        self.clear()
        return Batch(ordered)
