"""How people walk through the shop: what they do next, how long they think, how long requests take and how they fail.

The numbers are plausible for a shop, not measured on one.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from math import log

from clickpulse.events import EventType

SEARCH, VIEW = EventType.SEARCH, EventType.VIEW_PRODUCT
ADD, CHECKOUT, PAYMENT = EventType.ADD_TO_CART, EventType.CHECKOUT, EventType.PAYMENT


@dataclass(frozen=True)
class Step:
    """One kind of interaction.

    Latency is log-normal (median in ms, sigma of its logarithm), think time afterwards exponential (mean in ms).
    `then` and `codes` are probabilities; what `then` lacks to 1 leaves the shop.
    """

    latency_median: float
    latency_sigma: float
    think_mean: float
    then: dict[EventType, float]
    error_rate: float
    codes: dict[int, float]
    retry_after_error: float

    @cached_property
    def latency_mu(self) -> float:
        return log(self.latency_median)

    @cached_property
    def _then(self) -> tuple[list[float], list[EventType | None]]:
        return list(accumulate(self.then.values())), [*self.then, None]

    @cached_property
    def _codes(self) -> tuple[list[float], list[int]]:
        return list(accumulate(self.codes.values()))[:-1], list(self.codes)

    def next(self, uniform: float) -> EventType | None:
        """The next interaction, or None for leaving; `uniform` is from [0, 1)."""
        bounds, types = self._then
        return types[bisect_right(bounds, uniform)]

    def after_error(self, event_type: EventType, uniform: float) -> EventType | None:
        """The same again, or giving up."""
        return event_type if uniform < self.retry_after_error else None

    def code(self, uniform: float) -> int:
        """The error code of a failed request; `uniform` is from [0, 1)."""
        bounds, codes = self._codes
        return codes[bisect_right(bounds, uniform)]


FIRST = {SEARCH: 0.62, VIEW: 0.38}
"""What a session starts with."""

STEPS: dict[EventType, Step] = {
    SEARCH: Step(
        latency_median=120,
        latency_sigma=0.5,
        think_mean=9_000,
        then={VIEW: 0.62, SEARCH: 0.2},
        error_rate=0.004,
        codes={500: 0.4, 503: 0.3, 504: 0.2, 400: 0.1},
        retry_after_error=0.6,
    ),
    VIEW: Step(
        latency_median=60,
        latency_sigma=0.45,
        think_mean=15_000,
        then={VIEW: 0.32, SEARCH: 0.22, ADD: 0.18},
        error_rate=0.003,
        codes={404: 0.6, 500: 0.3, 503: 0.1},
        retry_after_error=0.4,
    ),
    ADD: Step(
        latency_median=90,
        latency_sigma=0.4,
        think_mean=8_000,
        then={VIEW: 0.34, SEARCH: 0.1, CHECKOUT: 0.4},
        error_rate=0.006,
        codes={409: 0.6, 500: 0.3, 503: 0.1},
        retry_after_error=0.7,
    ),
    CHECKOUT: Step(
        latency_median=200,
        latency_sigma=0.5,
        think_mean=20_000,
        then={PAYMENT: 0.74, VIEW: 0.08},
        error_rate=0.01,
        codes={422: 0.5, 409: 0.2, 500: 0.2, 503: 0.1},
        retry_after_error=0.7,
    ),
    PAYMENT: Step(
        latency_median=450,
        latency_sigma=0.6,
        think_mean=10_000,
        then={SEARCH: 0.1},
        error_rate=0.02,
        codes={402: 0.6, 502: 0.2, 504: 0.2},
        retry_after_error=0.5,
    ),
}


def visits() -> dict[EventType, float]:
    """Expected interactions of each type in a session without errors: `first + visits x transition matrix`."""
    expected = {event_type: FIRST.get(event_type, 0.0) for event_type in STEPS}
    for _ in range(200):  # a contraction: every row leaves with some probability
        expected = {
            event_type: FIRST.get(event_type, 0.0)
            + sum(expected[before] * step.then.get(event_type, 0.0) for before, step in STEPS.items())
            for event_type in STEPS
        }
    return expected
