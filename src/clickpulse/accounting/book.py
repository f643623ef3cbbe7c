"""The book of a range of minutes: one entry for each offset that was read from Kafka, and what was found of it.

An entry takes 9 bytes: the minute (4), a short hash of the event_id (4), the marks (1). An hour at 500 events/s is
16 MB, a day 390 MB; messages behind the range that were read in search of late ones take as much.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from clickpulse.accounting.columns import Hashes, Ints, Rows, check_terms, no_rows, short, together
from clickpulse.accounting.groups import GROUPS, Group, Mark

_OTHER_MINUTE = -1
_NO_MESSAGE = -2
"""Kafka has nothing at the offset, such as where a transaction ended."""


class Marked(NamedTuple):
    """Rows without a message of their minute, and rows that hold another event than their message."""

    unknown: Rows
    differing: Rows


class Sums(NamedTuple):
    """By minute: how many rows, and the sum of `check_terms`."""

    rows: Ints
    checks: Hashes


@dataclass
class _Pages:
    """The entries of one partition, from offset `start` on."""

    start: int
    minutes: npt.NDArray[np.int32]
    shorts: npt.NDArray[np.uint32]
    marks: npt.NDArray[np.uint8]

    @property
    def end(self) -> int:
        return self.start + len(self.minutes)


def _blank(start: int, count: int) -> _Pages:
    return _Pages(
        start,
        np.full(count, _NO_MESSAGE, np.int32),
        np.zeros(count, np.uint32),
        np.zeros(count, np.uint8),
    )


class Book:
    """Entries of all partitions.

    Args:
        minutes: how many the range has; they are counted from 0.
        spans: by partition, the first offset to be read and the one after the last.
    """

    def __init__(self, minutes: int, spans: Mapping[int, tuple[int, int]]) -> None:
        self.minutes = minutes
        self._pages = {partition: _blank(start, end - start) for partition, (start, end) in spans.items()}

    @property
    def partitions(self) -> list[int]:
        return sorted(self._pages)

    def start(self, partition: int) -> int:
        return self._pages[partition].start

    def end(self, partition: int) -> int:
        return self._pages[partition].end

    def enter(self, partition: int, offset: Ints, minute: Ints, shorts: npt.NDArray[np.uint32]) -> None:
        """Write messages down; those of other minutes are only known to be there."""
        pages = self._pages[partition]
        index = offset - pages.start
        inside = (minute >= 0) & (minute < self.minutes)
        pages.minutes[index] = np.where(inside, minute, _OTHER_MINUTE)
        pages.shorts[index] = shorts

    def extend(self, partition: int, start: int) -> None:
        """Make room for messages before those there are."""
        pages = self._pages[partition]
        if start >= pages.start:
            return
        more = _blank(start, pages.start - start)
        for name in ("minutes", "shorts", "marks"):
            setattr(pages, name, np.concatenate((getattr(more, name), getattr(pages, name))))
        pages.start = start

    def mark(self, mark: Mark, rows: Rows) -> Marked:
        """Note something of the messages that the rows are of; says which rows have none."""
        unknown: list[Rows] = []
        differing: list[Rows] = []
        for partition in np.unique(rows.partition).tolist():
            mine = rows.take(rows.partition == partition)
            pages = self._pages.get(partition)
            if pages is None:
                unknown.append(mine)
                continue
            index = mine.offset - pages.start
            inside = (index >= 0) & (index < len(pages.minutes))
            at = np.where(inside, index, 0)
            known = inside & (pages.minutes[at] == mine.minute) if len(pages.minutes) else inside
            unknown.append(mine.take(~known))
            found, at = mine.take(known), at[known]
            pages.marks[at] |= np.uint8(mark)
            differing.append(found.take(pages.shorts[at] != short(found.hash)))
        return Marked(together(unknown), together(differing))

    def marks_of(self, rows: Rows) -> npt.NDArray[np.uint8]:
        """The marks of the rows' messages; none for rows without a message of their minute."""
        found = np.zeros(len(rows), np.uint8)
        for partition, pages in self._pages.items():
            mine = np.flatnonzero(rows.partition == partition)
            index = rows.offset[mine] - pages.start
            inside = (index >= 0) & (index < len(pages.marks))
            mine, index = mine[inside], index[inside]
            same = pages.minutes[index] == rows.minute[mine]
            found[mine[same]] = pages.marks[index[same]]
        return found

    def mark_offsets(self, mark: Mark, partition: int, offsets: Ints) -> None:
        """Note something of messages, of whatever minute; offsets that were not read are left out."""
        pages = self._pages.get(partition)
        if pages is not None:
            index = offsets - pages.start
            index = index[(index >= 0) & (index < len(pages.marks))]
            pages.marks[index] |= np.uint8(mark)

    def mark_below(self, mark: Mark, partition: int, end: int, *, without: Mark) -> None:
        """Note something of all messages below an offset that do not have a mark."""
        pages = self._pages[partition]
        marks = pages.marks[: max(0, min(end, pages.end) - pages.start)]
        marks[(marks & np.uint8(without)) == 0] |= np.uint8(mark)

    def mark_minutes(self, mark: Mark, partition: int, minutes: npt.NDArray[np.bool_], *, without: Mark) -> None:
        """Note something of all messages of minutes that do not have a mark; `minutes` has a flag for each."""
        pages = self._pages[partition]
        chosen = (pages.minutes >= 0) & minutes[np.maximum(pages.minutes, 0)]
        pages.marks[chosen & ((pages.marks & np.uint8(without)) == 0)] |= np.uint8(mark)

    def sums(self, partition: int, *, without: Mark) -> Sums:
        """What the messages without a mark add up to."""
        pages = self._pages[partition]
        at = np.flatnonzero((pages.minutes >= 0) & ((pages.marks & np.uint8(without)) == 0))
        minutes = pages.minutes[at]
        checks = np.zeros(self.minutes, np.uint64)
        np.add.at(checks, minutes, check_terms(at + pages.start, pages.shorts[at]))
        return Sums(np.bincount(minutes, minlength=self.minutes), checks)

    def having(self, marks: Mark, *, without: Mark) -> Rows:
        """The messages that have all of `marks` and none of `without`; their hashes are not known."""
        wanted, looked_at = np.uint8(marks), np.uint8(marks | without)
        return together(
            _rows(partition, pages, np.flatnonzero((pages.minutes >= 0) & ((pages.marks & looked_at) == wanted)))
            for partition, pages in sorted(self._pages.items())
        )

    def of_group(self, group: Group) -> Rows:
        """The messages of a group; their hashes are not known."""
        return together(
            _rows(partition, pages, np.flatnonzero((pages.minutes >= 0) & (GROUPS[pages.marks] == group)))
            for partition, pages in sorted(self._pages.items())
        )

    def counts(self) -> Ints:
        """Messages by minute (first axis) and group (second axis)."""
        total = np.zeros((self.minutes, len(Group)), np.int64)
        for pages in self._pages.values():
            inside = pages.minutes >= 0
            places = pages.minutes[inside].astype(np.int64) * len(Group) + GROUPS[pages.marks[inside]]
            total += np.bincount(places, minlength=total.size).reshape(total.shape)
        return total

    def bytes_held(self) -> int:
        return sum(one.minutes.nbytes + one.shorts.nbytes + one.marks.nbytes for one in self._pages.values())


def _rows(partition: int, pages: _Pages, index: Ints) -> Rows:
    if not len(index):
        return no_rows()
    return Rows(
        pages.minutes[index].astype(np.int64),
        np.full(len(index), partition, np.int64),
        index + pages.start,
        np.zeros(len(index), np.uint64),
    )


def by_place(rows: Rows) -> Iterator[tuple[int, int, Ints]]:
    """Minute, partition and offsets of each minute and partition that has rows, in order."""
    if not len(rows):
        return
    order = np.lexsort((rows.offset, rows.partition, rows.minute))
    ordered = rows.take(order)
    changes = (np.diff(ordered.minute) != 0) | (np.diff(ordered.partition) != 0)
    bounds = [0, *(np.flatnonzero(changes) + 1).tolist(), len(ordered)]
    for begin, end in pairwise(bounds):
        yield int(ordered.minute[begin]), int(ordered.partition[begin]), ordered.offset[begin:end]
