"""Keeps a schedule against the wall clock: no drift, no burst after a long stall, and time never goes back."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

log = structlog.get_logger()

TICK_SECONDS = 0.01
"""Events due within a tick are sent together: a hundred wake-ups a second, whatever the rate."""
MAX_LAG_MS = 500
"""An event that is handed over later than this after its scheduled time gets a later timestamp: it happens now, it is
not reported late."""
MAX_CATCH_UP_MS = 5_000
"""A longer stall (a suspended machine, an outage with a full buffer) is left out of the schedule instead of being made
up for in one burst."""


def wall_clock_ms() -> float:
    return time.time() * 1000


class Pacer:
    """Maps offsets from the start, which must not go back, to the wall clock.

    Args:
        start_ms: the time of offset 0, milliseconds since the epoch.
        now_ms: the clock, in the same unit.
        max_catch_up_ms: how far behind the schedule it may fall before the schedule is moved.
    """

    def __init__(
        self, start_ms: float, *, now_ms: Callable[[], float] = wall_clock_ms, max_catch_up_ms: float = MAX_CATCH_UP_MS
    ) -> None:
        self._start_ms = start_ms
        self._max_catch_up_ms = max_catch_up_ms
        self._now_ms = now_ms
        self._last_now = now_ms()
        self._last_stamp = 0

    def ahead_ms(self, offset_ms: float) -> float:
        """How long until the offset's time; zero or less if it is due."""
        now = self._now_ms()
        if now < self._last_now - 1000:
            log.warning("clock_set_back", seconds=round((self._last_now - now) / 1000, 1))
        self._last_now = now
        ahead = self._start_ms + offset_ms - now
        if ahead < -self._max_catch_up_ms:
            log.warning("schedule_shifted", seconds=round(-ahead / 1000, 1))
            self._start_ms -= ahead
            return 0.0
        return ahead

    def stamp_now(self) -> int:
        """The timestamp of an event without a schedule: now, never going back."""
        self._last_stamp = max(self._last_stamp, int(self._now_ms()))
        return self._last_stamp

    def stamp(self, offset_ms: float) -> int:
        """The timestamp of an event that is sent now: scheduled, but not far behind the clock, and never going back."""
        scheduled = self._start_ms + offset_ms
        self._last_stamp = max(self._last_stamp, int(scheduled), int(self._last_now) - MAX_LAG_MS)
        return self._last_stamp
