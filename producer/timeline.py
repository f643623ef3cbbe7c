"""When a replayed event is sent and what time it gets.

| `--at` | `--speed X` | `--speed max` |
|---|---|---|
| `now` | from now on, intervals divided by X; sent at that time | stamped with the moment it is sent |
| `original` | recorded times; sent at X times the recorded pace | recorded times; sent as fast as possible |
| a time | recorded times, all moved alike; sent at X times the pace | the same, sent as fast as possible |

`now` and a time are meant for the first event. No event is sent before its own time: with a time in the future the
replay waits for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf, isfinite

from clickpulse.errors import ConfigurationError


@dataclass(frozen=True)
class Anchor:
    """`--at`: the time of the first event in ms since the epoch; None where the recorded times stay."""

    label: str
    base_ms: int | None

    @property
    def is_now(self) -> bool:
        return self.label == "now"


def parse_at(text: str, now_ms: int) -> Anchor:
    """Read `--at`.

    Raises:
        ConfigurationError: not `now`, `original` or a time with a zone.
    """
    if text == "now":
        return Anchor("now", now_ms)
    if text == "original":
        return Anchor("original", None)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(f"--at {text!r} is not now, original or a time like 2026-11-22T10:05Z") from None
    if moment.tzinfo is None:
        raise ConfigurationError(f"--at {text!r} has no time zone: write {text}Z for UTC")
    return Anchor(moment.astimezone(UTC).isoformat(), round(moment.timestamp() * 1000))


def parse_speed(text: str) -> float:
    """Read `--speed`; infinity for `max`.

    Raises:
        ConfigurationError: neither `max` nor a number above 0.
    """
    if text == "max":
        return inf
    try:
        speed = float(text.removesuffix("x"))
    except ValueError:
        speed = 0.0
    if not isfinite(speed) or speed <= 0:
        raise ConfigurationError(f"--speed {text!r} is not max or a number above 0, such as 1, 60 or 0.5")
    return speed


@dataclass(frozen=True)
class Timeline:
    """Args: the anchor, the speed, the recorded time of the first event and the start of sending (both in ms)."""

    anchor: Anchor
    speed: float
    first_ms: int
    start_ms: int

    def event_ms(self, recorded_ms: int) -> int | None:
        """The time that the event gets; None for the moment it is sent."""
        elapsed = recorded_ms - self.first_ms
        if self.anchor.base_ms is None:
            return recorded_ms
        if not self.anchor.is_now:
            return self.anchor.base_ms + elapsed
        return None if self.speed == inf else self.start_ms + round(elapsed / self.speed)

    def send_offset_ms(self, recorded_ms: int) -> float:
        """When to send it, from the start."""
        paced = 0.0 if self.speed == inf else (recorded_ms - self.first_ms) / self.speed
        event_ms = self.event_ms(recorded_ms)
        return paced if event_ms is None else max(paced, event_ms - self.start_ms)
