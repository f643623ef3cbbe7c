"""The numbering of rows: ClickHouse must find each message's partition and offset from the segments alone."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connect.sink.batch import Batch, Buffer

places = st.sets(st.tuples(st.integers(0, 5), st.integers(0, 40)), max_size=80)


class Message:
    def __init__(self, partition: int, offset: int) -> None:
        self._place = (partition, offset)

    def partition(self) -> int:
        return self._place[0]

    def offset(self) -> int:
        return self._place[1]

    def value(self) -> bytes:
        return f"<{self._place[0]}:{self._place[1]}>".encode()


def batch_of(at: Any) -> Batch:
    buffer = Buffer(1000, 10**9, 0.25)
    # Polled in any interleaving of partitions, each in order: the worst case is offset by offset.
    buffer.add([Message(*place) for place in sorted(at, key=lambda place: (place[1], place[0]))], since=0.0)  # type: ignore[misc]
    return buffer.take()


def derive(batch: Batch, rows: int) -> list[tuple[int, int]]:
    segments = batch.segments()
    derived = []
    for row in range(rows):
        index = bisect_right(segments.starts, row) - 1
        derived.append((segments.partitions[index], segments.offsets[index] + row - segments.starts[index]))
    return derived


@given(places)
def test_segments_give_back_every_partition_and_offset(at: set[tuple[int, int]]) -> None:
    batch = batch_of(at)
    assert derive(batch, len(at)) == sorted(at)
    assert batch.body() == b"".join(f"<{partition}:{offset}>".encode() for partition, offset in sorted(at))


@given(places)
def test_a_segment_begins_only_at_a_new_partition_or_a_gap(at: set[tuple[int, int]]) -> None:
    expected = sum((partition, offset - 1) not in at for partition, offset in at)
    segments = batch_of(at).segments()
    assert len(segments.starts) == len(segments.partitions) == len(segments.offsets) == expected


@given(places)
def test_ends_are_what_is_to_be_committed(at: set[tuple[int, int]]) -> None:
    expected: dict[int, int] = {}
    for partition, offset in at:
        expected[partition] = max(expected.get(partition, 0), offset + 1)
    assert batch_of(at).ends() == expected


@given(places)
def test_halves_keep_the_order_and_lose_nothing(at: set[tuple[int, int]]) -> None:
    first, second = batch_of(at).halves()
    assert derive(first, len(first)) + derive(second, len(second)) == sorted(at)


@given(places, st.dictionaries(st.integers(0, 5), st.integers(0, 60)))
def test_only_positions_inside_the_batch_count_as_stored(at: set[tuple[int, int]], stored: dict[int, int]) -> None:
    left = [(m.partition(), m.offset()) for m in batch_of(at).not_stored(stored).messages]
    for partition, offset in at:
        own = sorted(o for p, o in at if p == partition)
        position = stored.get(partition, -1)
        is_stored = own[0] <= position <= own[-1] and offset <= position
        assert ((partition, offset) not in left) == is_stored


def test_a_buffer_is_full_by_rows_or_bytes_and_due_by_time() -> None:
    buffer = Buffer(max_rows=3, max_bytes=10, max_seconds=0.25)
    assert not buffer
    buffer.add([Message(0, 1)], since=7.0)
    buffer.add([Message(1, 1)], since=8.0)
    assert buffer.due_at == 7.25
    assert buffer.room == 0, "two values of five bytes reach the limit of ten"
    assert len(buffer.take()) == 2
    assert buffer.room == 3
    buffer.add([], since=9.0)
    assert not buffer
