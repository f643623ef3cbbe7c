"""Counts what became of the events, per minute of event time and event type."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from clickpulse.events import EventType
from clickpulse.windows import MinuteWindow

MINUTE_MS = 60_000
WEEK_OF_MINUTES = 7 * 24 * 60

Undelivered = Callable[[Any, Any], None]


class Tally:
    """The events of one type in one minute.

    `delivered` is the delivery callback shared by all of them: one bound method for thousands of messages, instead of
    a closure for each, and nothing has to be read from the message.
    """

    __slots__ = ("_undelivered", "acknowledged")

    def __init__(self, undelivered: Undelivered) -> None:
        self.acknowledged = 0
        self._undelivered = undelivered

    def delivered(self, error: Any, message: Any) -> None:
        if error is None:
            self.acknowledged += 1
        else:
            self._undelivered(error, message)


class Tallies:
    """All tallies; minutes are whole minutes since the epoch.

    Args:
        undelivered: called with librdkafka's error and message when an event was not delivered.
        keep_minutes: how many minutes are told apart; the counts of older ones are only in the totals. None keeps all.
    """

    def __init__(self, undelivered: Undelivered, *, keep_minutes: int | None = None) -> None:
        self._undelivered = undelivered
        self._keep = keep_minutes
        self._minutes: dict[int, dict[str, Tally]] = {}
        self._dropped: dict[str, int] = defaultdict(int)

    def of_minute(self, minute: int) -> dict[str, Tally]:
        """The tallies by event type, made at the first use."""
        if minute not in self._minutes:
            self._minutes[minute] = {event_type: Tally(self._undelivered) for event_type in EventType}
            if self._keep is not None:
                self._drop_oldest()
        return self._minutes[minute]

    def _drop_oldest(self) -> None:
        # Twice the number is kept before half goes: events that are still on their way belong to the newest minutes.
        if self._keep is None or len(self._minutes) < 2 * self._keep:
            return
        for minute in sorted(self._minutes)[: -self._keep]:
            for event_type, tally in self._minutes.pop(minute).items():
                self._dropped[event_type] += tally.acknowledged

    @property
    def acknowledged(self) -> int:
        return sum(self.by_event_type().values())

    def by_event_type(self) -> dict[str, int]:
        """Acknowledged events of each type, all minutes together."""
        counts = {str(event_type): self._dropped[event_type] for event_type in EventType}
        for tallies in self._minutes.values():
            for event_type, tally in tallies.items():
                counts[event_type] += tally.acknowledged
        return counts

    def per_minute(self) -> Iterator[tuple[str, dict[str, int]]]:
        """Each minute with acknowledged events, in order, as `2026-11-22T10:05Z`, and its counts by event type."""
        for minute in sorted(self._minutes):
            counts = {
                str(name): tally.acknowledged for name, tally in self._minutes[minute].items() if tally.acknowledged
            }
            if counts:
                yield str(MinuteWindow(datetime.fromtimestamp(minute * 60, UTC))), counts
