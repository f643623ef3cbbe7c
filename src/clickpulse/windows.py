"""Minutes as half-open intervals in UTC: `[start, start + 60 s)`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from clickpulse.errors import ConfigurationError

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, order=True)
class MinuteWindow:
    """One minute of event time. `start` is aware, in UTC, and has no seconds."""

    start: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.start.utcoffset() != timedelta(0):
            raise ConfigurationError(f"window start {self.start!r} is not in UTC: give it as 2026-11-22T10:05Z")
        if self.start.second or self.start.microsecond:
            raise ConfigurationError(f"window start {self.start.isoformat()} is not a whole minute")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `2026-11-22T10:05Z` (any ISO 8601 date-time with an offset, whole minute)."""
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise ConfigurationError(
                f"window {text!r} is not an ISO 8601 time: write it as 2026-11-22T10:05Z"
            ) from error
        if moment.tzinfo is None:
            raise ConfigurationError(f"window {text!r} has no time zone: write it as {text}Z for UTC")
        return cls(moment.astimezone(UTC))

    @classmethod
    def containing(cls, moment: datetime) -> Self:
        """The minute that `moment` (aware) falls into."""
        return cls(moment.astimezone(UTC).replace(second=0, microsecond=0))

    @property
    def end(self) -> datetime:
        """First instant after the window, UTC."""
        return self.start + MINUTE

    @property
    def end_ms(self) -> int:
        """`end` as milliseconds since the epoch, Kafka's unit."""
        return int(self.end.timestamp()) * 1000

    @property
    def previous(self) -> Self:
        return type(self)(self.start - MINUTE)

    def __str__(self) -> str:
        return self.start.strftime("%Y-%m-%dT%H:%MZ")


def minutes_between(first: MinuteWindow, last: MinuteWindow) -> Iterator[MinuteWindow]:
    """Each window from `first` to `last`, both included, in order."""
    start = first.start
    while start <= last.start:
        yield MinuteWindow(start)
        start += MINUTE
