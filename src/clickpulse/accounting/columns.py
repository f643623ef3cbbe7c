"""Rows as columns: millions of them are compared without a Python object for each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from clickpulse.windows import MinuteWindow

Ints = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]

MINUTE_MS = 60_000
_MIX = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)
_LOW_32 = np.uint64(0xFFFFFFFF)


def minute_number(window: MinuteWindow) -> int:
    """Minutes from the epoch to the window's start."""
    return window.end_ms // MINUTE_MS - 1


def window_of(number: int) -> MinuteWindow:
    """The window that so many minutes after the epoch begins."""
    return MinuteWindow(datetime.fromtimestamp(number * 60, UTC))


@dataclass(frozen=True)
class Rows:
    """Rows or messages, 32 bytes each: `minute` counts from the range's first, `hash` stands for the event_id."""

    minute: Ints
    partition: Ints
    offset: Ints
    hash: Hashes

    def __len__(self) -> int:
        return len(self.offset)

    def take(self, which: Mask | Ints) -> Rows:
        """The rows that a mask or indices name."""
        return Rows(self.minute[which], self.partition[which], self.offset[which], self.hash[which])


def no_rows() -> Rows:
    return rows_of([], [], [], [])


def rows_of(
    minute: Iterable[int], partition: Iterable[int], offset: Iterable[int], hashes: Iterable[int] | Hashes
) -> Rows:
    """Rows of any numbers."""
    return Rows(
        np.asarray(minute, np.int64),
        np.asarray(partition, np.int64),
        np.asarray(offset, np.int64),
        np.asarray(hashes, np.uint64),
    )


def together(parts: Iterable[Rows]) -> Rows:
    """All rows of the parts, in their order."""
    listed = [part for part in parts if len(part)]
    if not listed:
        return no_rows()
    return Rows(*(np.concatenate([getattr(part, name) for part in listed]) for name in Rows.__dataclass_fields__))


def hash_of(high: Hashes, low: Hashes) -> Hashes:
    """64 bits that stand for a UUID, of its two halves as big-endian numbers.

    The same as `high * 11400714819323198485 + low` in ClickHouse, where UInt64 wraps around as here.
    """
    return high * _MIX + low


def hash_of_bytes(raw: npt.NDArray[np.uint8]) -> Hashes:
    """The same of UUIDs as rows of 16 bytes."""
    halves = np.ascontiguousarray(raw).view(">u8").astype(np.uint64)
    return hash_of(halves[:, 0], halves[:, 1])


def short(hashes: Hashes) -> npt.NDArray[np.uint32]:
    """32 bits of it, to keep one for each message."""
    return ((hashes ^ (hashes >> _HALF)) & _LOW_32).astype(np.uint32)


def check_terms(offset: Ints, shorts: npt.NDArray[np.uint32]) -> Hashes:
    """What is added up to compare two sets of rows, in whatever order: says which offset holds which event."""
    one, two = np.uint64(1), np.uint64(2)
    return (offset.astype(np.uint64) + one) * (two * shorts.astype(np.uint64) + one)


def ranges(offsets: Ints) -> list[tuple[int, int]]:
    """Runs of successive offsets, each as its first and last."""
    if not len(offsets):
        return []
    ordered = np.unique(offsets)
    breaks = np.flatnonzero(np.diff(ordered) > 1)
    firsts = ordered[np.concatenate(([0], breaks + 1))]
    lasts = ordered[np.concatenate((breaks, [len(ordered) - 1]))]
    return [(int(first), int(last)) for first, last in zip(firsts, lasts, strict=True)]
