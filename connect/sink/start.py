"""Where to start in each partition, so that nothing is lost and nothing is stored twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import structlog

from clickpulse.completeness import PartitionView
from connect.sink.patience import Patience

log = structlog.get_logger()


def find_start(
    partitions: Sequence[int],
    patience: Patience,
    *,
    stored_positions: Callable[[], Mapping[int, int]],
    look: Callable[[], Mapping[int, PartitionView]],
) -> dict[int, int]:
    """The first offset to read in each partition.

    Args:
        partitions: those assigned.
        patience: for both questions.
        stored_positions: asks ClickHouse.
        look: asks Kafka.
    """
    stored = patience.persist(stored_positions)
    views = patience.persist(look)
    return {partition: start_offset(partition, views[partition], stored.get(partition)) for partition in partitions}


def start_offset(partition: int, kafka: PartitionView, stored: int | None) -> int:
    """The first offset to read: `max(committed, stored + 1)`, the earliest when neither is known.

    A stored position past the partition's end is from another topic of the same name and is left aside. A committed
    offset outside of what Kafka has means the partition was truncated or made anew: reading starts at the earliest.
    """
    start = kafka.reached
    if not kafka.low <= start <= kafka.end:
        log.warning("committed offset out of range", partition=partition, committed=start, low=kafka.low, end=kafka.end)
        start = kafka.low
    if stored is None or stored < start:
        return start
    if stored >= kafka.end:
        log.warning("stored position ignored: past the end", partition=partition, stored=stored, end=kafka.end)
        return start
    log.info("stored but not committed: skipped", partition=partition, first=start, last=stored)
    return stored + 1
