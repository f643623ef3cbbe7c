"""How far ahead of the clock an event's time may be: the same for every door that an event comes through."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

FUTURE_TIMESTAMP = "future-timestamp"
"""The error class of an event that is further ahead."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def wall_clock_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class FutureLimit:
    """`seconds` is SINK_MAX_FUTURE_SECONDS; `now_ms` is the clock, ms since the epoch."""

    seconds: int
    now_ms: Callable[[], int] = wall_clock_ms

    @property
    def latest_ms(self) -> int:
        """The latest time that an event may have just now, ms since the epoch."""
        return self.now_ms() + 1000 * self.seconds

    def fault(self, time_ms: int) -> str:
        """What is wrong with an event of this time (ms since the epoch); empty if nothing is."""
        now_ms = self.now_ms()
        ahead_ms = time_ms - now_ms
        if ahead_ms <= 1000 * self.seconds:
            return ""
        return (
            f"event_timestamp {iso_of_ms(time_ms)} is {ahead_ms / 1000:.0f} s ahead of the clock, {iso_of_ms(now_ms)}; "
            f"SINK_MAX_FUTURE_SECONDS allows {self.seconds}"
        )


def iso_of_ms(time_ms: int) -> str:
    """Milliseconds since the epoch as ISO 8601 in UTC; as they are where no calendar reaches."""
    try:
        return (_EPOCH + timedelta(milliseconds=time_ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except OverflowError:
        return f"{time_ms} ms"
