"""When events happen: a rate that follows the day, or an exactly constant one. Times are milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import cos, log1p, pi

_DAY_MS = 24 * 3600 * 1000
_PEAK_MS = 20 * 3600 * 1000
SWING = 0.6
"""At the peak (20:00 UTC) the rate is 1.6 times the mean, twelve hours later 0.4 times."""


def daily_factor(at_ms: float) -> float:
    """The rate at a time (milliseconds since the epoch) relative to the mean of the day, which is 1."""
    return 1 + SWING * cos(2 * pi * (at_ms - _PEAK_MS) / _DAY_MS)


def constant(rate: float) -> Iterator[float]:
    """Offsets from the start at exactly `rate` events a second: event k at k / rate, with no rounding that adds up."""
    number = 0
    while True:
        yield number * 1000 / rate
        number += 1


def daily(rate: float, start_ms: int, uniform: Callable[[], float]) -> Iterator[float]:
    """Offsets of a Poisson process whose mean over a day is `rate` events a second.

    Args:
        rate: events a second.
        start_ms: the start, milliseconds since the epoch: where in the day the rhythm begins.
        uniform: gives random numbers from [0, 1).
    """
    offset = 0.0
    mean_gap = 1000 / rate
    # The factor changes by less than 0.3 % a minute, so it is looked up once a second of event time.
    looked_up, gap = -1000.0, mean_gap
    while True:
        if offset - looked_up >= 1000:  # noqa: PLR2004
            looked_up, gap = offset, mean_gap / daily_factor(start_ms + offset)
        offset -= log1p(-uniform()) * gap
        yield offset
