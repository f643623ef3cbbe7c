"""Each message in exactly one group, from what was found of it. Pure: no service is asked here."""

from __future__ import annotations

from enum import IntEnum, IntFlag

import numpy as np
import numpy.typing as npt


class Mark(IntFlag):
    """What was found of a message; any combination is possible."""

    STORED = 1
    """ClickHouse has its row."""
    REPORTED = 2
    """Its row is in the report that counts of its minute."""
    LATE = 4
    """It is in the ledger of events that came beyond the horizon."""
    COUNTED_ELSEWHERE = 8
    """Its event_id is in a report through another message; or in none, and in the ledger through another."""
    DEAD_LETTERED = 16
    """It is in the dead-letter topic."""
    DUE = 32
    """It should be somewhere by now."""


class Group(IntEnum):
    """Where an acknowledged message belongs; every message is in one."""

    REPORTED = 0
    DUPLICATES = 1
    LATE = 2
    DEAD_LETTERED = 3
    PENDING = 4
    MISSING = 5


def group_of(marks: Mark) -> Group:
    """The group of a message with these marks: the first that applies, what counts before what does not."""
    if Mark.REPORTED in marks:
        return Group.REPORTED
    if Mark.STORED | Mark.COUNTED_ELSEWHERE in marks:
        return Group.DUPLICATES
    if Mark.LATE in marks:
        return Group.LATE
    if Mark.DEAD_LETTERED in marks:
        return Group.DEAD_LETTERED
    return Group.MISSING if Mark.DUE in marks else Group.PENDING


GROUPS: npt.NDArray[np.int8] = np.array([group_of(Mark(marks)) for marks in range(64)], np.int8)
"""`group_of` for arrays: `GROUPS[marks]`."""
