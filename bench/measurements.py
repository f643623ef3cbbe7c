"""A figure, and the order statistics that figures are quoted by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles


@dataclass(frozen=True)
class Figure:
    """One line of the table: `value` in `unit`; `aim` is what was set out for, `note` how it was measured."""

    group: str
    name: str
    value: float
    unit: str
    aim: str = ""
    note: str = ""


def percentile(values: Sequence[float], percent: int) -> float:
    """The percentile of `values` by linear interpolation; of a single value that value."""
    if len(values) == 1:
        return values[0]
    return quantiles(values, n=100, method="inclusive")[percent - 1]
