"""Where to start in each partition, so that nothing is lost and nothing is stored twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from connect.sink.patience import Patience

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class PartitionOffsets:
    """What Kafka knows of a partition. `committed` is None before the first commit."""

    low: int
    high: int
    committed: int | None


class Offsets(Protocol):
    def read(self, partitions: Sequence[int]) -> dict[int, PartitionOffsets]: ...
    def commit(self, ends: Mapping[int, int]) -> None: ...


def find_start(
    partitions: Sequence[int], patience: Patience, stored_positions: Callable[[], dict[int, int]], offsets: Offsets
) -> dict[int, int]:
    """The first offset to read in each partition, committed if that says more than the last commit.

    Without that commit, rows that were stored just before a kill would look unfinished until the next message comes.
    """
    stored = patience.persist(stored_positions)
    known = patience.persist(lambda: offsets.read(partitions))
    starts = {partition: start_offset(partition, known[partition], stored.get(partition)) for partition in partitions}
    if moved := {partition: start for partition, start in starts.items() if start != known[partition].committed}:
        patience.persist(lambda: offsets.commit(moved))
    return starts


def start_offset(partition: int, kafka: PartitionOffsets, stored: int | None) -> int:
    """The first offset to read: `max(committed, stored + 1)`, the earliest when neither is known.

    A stored position past the partition's end is from another topic of the same name and is left aside. A committed
    offset outside of what Kafka has means the partition was truncated or made anew: reading starts at the earliest.
    """
    start = kafka.low if kafka.committed is None else kafka.committed
    if not kafka.low <= start <= kafka.high:
        log.warning(
            "committed offset out of range", partition=partition, committed=start, low=kafka.low, high=kafka.high
        )
        start = kafka.low
    if stored is None or stored < start:
        return start
    if stored >= kafka.high:
        log.warning("stored position ignored: past the end", partition=partition, stored=stored, high=kafka.high)
        return start
    log.info("stored before its commit: skipped", partition=partition, first=start, last=stored)
    return stored + 1
