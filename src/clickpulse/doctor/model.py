"""What a part tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Holding:
    """One thing that is kept: a topic, a table, a kind of objects.

    `count` is of `unit`, and `bytes` are on disk; None where it can't be known from here.
    """

    name: str
    unit: str
    count: int | None
    bytes: int | None
    oldest: datetime | None = None
    newest: datetime | None = None
    kept: str = ""


@dataclass(frozen=True)
class Finding:
    """Something that a person should do, or know where `action` is false."""

    what: str
    remedy: str
    action: bool = True


@dataclass(frozen=True)
class Part:
    """One service or folder.

    Args:
        name: a short word, the key in the JSON.
        title: for people.
        bytes_last_day: what came onto this machine's disk in the last 24 hours; None where nobody can tell, 0 where it
            lies elsewhere or no longer grows.
        problem: why nothing could be told; the rest is empty then.
    """

    name: str
    title: str
    holdings: Sequence[Holding] = ()
    findings: Sequence[Finding] = field(default=())
    bytes_last_day: int | None = None
    problem: str = ""


_UNITS = ("B", "kB", "MB", "GB", "TB")
_STEP = 1024
_LONG_DAYS = 1000


def days(value: float) -> str:
    """`3 days`, `1 day`, `1.5 days`; `over 1000 days` where it is no matter how many."""
    if value > _LONG_DAYS:
        return f"over {_LONG_DAYS} days"
    shown = f"{value:.1f}".removesuffix(".0")
    return f"{shown} day{'' if shown == '1' else 's'}"


def size(value: int | None) -> str:
    """Bytes in a unit that people read: `1.5 MB`, with 1,024 to the step; empty for None."""
    if value is None:
        return ""
    shown, unit = float(value), 0
    while shown >= _STEP and unit < len(_UNITS) - 1:
        shown, unit = shown / _STEP, unit + 1
    return f"{shown:.1f} {_UNITS[unit]}" if unit else f"{value} B"
