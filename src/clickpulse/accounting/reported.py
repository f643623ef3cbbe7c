"""The event_ids of all reports of the range: is one in a report, is one in two."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from clickpulse.accounting.columns import Hashes, Ints, Mask, Rows, no_rows, together


class ReportedIds:
    """Hashes of event_ids with the minute of their report, 16 bytes each.

    Args:
        parts: the rows of the reports.
        reach: an event_id counts once within so many minutes.
    """

    def __init__(self, parts: Iterable[tuple[Hashes, Ints]], reach: int) -> None:
        listed = list(parts)
        hashes = np.concatenate([part[0] for part in listed]) if listed else np.zeros(0, np.uint64)
        minutes = np.concatenate([part[1] for part in listed]) if listed else np.zeros(0, np.int64)
        order = np.lexsort((minutes, hashes))
        self._hashes = hashes[order]
        self._minutes = minutes[order]
        self._reach = reach

    def holds(self, rows: Rows) -> Mask:
        """Which rows' events are in a report of a minute within reach."""
        first = np.searchsorted(self._hashes, rows.hash, "left")
        many = np.searchsorted(self._hashes, rows.hash, "right") - first
        found = np.zeros(len(rows), np.bool_)
        for number in range(int(many.max(initial=0))):
            there = number < many
            distance = np.abs(self._minutes[first[there] + number] - rows.minute[there])
            found[there] |= distance <= self._reach
        return found

    def twice(self) -> tuple[Hashes, set[int]]:
        """The event_ids that are in two rows within reach of one another, and the minutes of these rows."""
        same = self._hashes[1:] == self._hashes[:-1]
        pairs = np.flatnonzero(same & (np.diff(self._minutes) <= self._reach))
        minutes = {*self._minutes[pairs].tolist(), *self._minutes[pairs + 1].tolist()}
        return np.unique(self._hashes[pairs]), minutes


def repeated(rows: Rows, reach: int, inside: range) -> Rows:
    """Of rows that share their event with others within reach, all but the first; at least one of those in `inside`."""
    if not len(rows):
        return no_rows()
    ordered = rows.take(np.lexsort((rows.partition, rows.offset, rows.minute, rows.hash)))
    same = (ordered.hash[1:] == ordered.hash[:-1]) & (np.diff(ordered.minute) <= reach)
    second = np.flatnonzero(same) + 1
    within = (ordered.minute >= inside.start) & (ordered.minute < inside.stop)
    chosen = np.where(within[second], second, second - 1)
    chosen = np.unique(chosen[within[chosen]])
    return together([ordered.take(chosen)])
