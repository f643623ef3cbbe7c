"""Which minutes need a revision: those without a report, those whose report was incomplete, those with late events.

Pure decisions; what is known is handed in. A minute that the minutely run may still be busy with is left to it, unless
everything is there and the report is overdue: the same revision made twice is the same, byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from clickpulse.completeness import WindowCompleteness
from clickpulse.revisions import Revision
from clickpulse.windows import MinuteWindow, minutes_between

if TYPE_CHECKING:
    from clickhouse.late import LateMinute

OVERDUE = timedelta(seconds=45)
"""After a minute's end: a report takes some seconds."""
GIVEN_UP = timedelta(seconds=60)
"""After the time limit for completeness: the minutely run would have reported, if only an incomplete minute."""

Assess = Callable[[Sequence[MinuteWindow]], Mapping[MinuteWindow, WindowCompleteness]]


@dataclass(frozen=True)
class Published:
    """A minute's highest revision at the report API."""

    revision: int
    complete: bool


@dataclass(frozen=True)
class Planned:
    """A revision to make, and with what its manifest begins; `found` is None where events are only scored anew."""

    revision: Revision
    found: WindowCompleteness | None = None


@dataclass(frozen=True)
class Known:
    """What is known of a range of minutes.

    `published` and `exported` (the highest exported revision) have only the minutes that have one.
    """

    now: datetime
    completeness_timeout: timedelta
    published: Mapping[MinuteWindow, Published]
    exported: Mapping[MinuteWindow, int]
    late: Mapping[MinuteWindow, LateMinute]


def due_windows(start: datetime, end: datetime, now: datetime) -> list[MinuteWindow]:
    """The minutes that begin in `[start, end)` and should have a report by now; `start` is a whole minute."""
    due = MinuteWindow.containing(now - OVERDUE).previous
    last = min(due, MinuteWindow.containing(end - timedelta(microseconds=1)))
    return list(minutes_between(MinuteWindow(start), last))


def repairs(windows: Iterable[MinuteWindow], known: Known, assess: Assess, *, limit: int) -> list[Planned]:
    """The revisions that these minutes need now, in the order of time, of the first `limit` that may need one.

    Args:
        windows: to look at, in order.
        known: about them.
        assess: tells how complete minutes are.
        limit: of minutes asked about.
    """
    reasons = {window: reason for window in windows if (reason := _why(window, known)) is not None}
    asked = sorted(reasons)[:limit]
    found = assess(asked)
    return [
        Planned(Revision(window, _next(window, known), reason=reasons[window] or None), found[window])
        for window in asked
        if found[window].complete or _given_up(window, known)
    ]


def scored_anew(windows: Iterable[MinuteWindow], known: Known, reason: str) -> list[Planned]:
    """For the minutes that have a report: the next revision, should the same events give another result now."""
    return [
        Planned(Revision(window, published.revision + 1, scored_from=published.revision, reason=reason))
        for window in windows
        if (published := known.published.get(window)) is not None
    ]


def _why(window: MinuteWindow, known: Known) -> str | None:
    """The next revision's reason, "" for a first one; None if the minute needs none."""
    published = known.published.get(window)
    if published is None:
        return ""
    if not published.complete:
        return f"the minute is complete now, and was not in revision {published.revision}"
    if (late := known.late.get(window)) is not None:
        return late.reason
    if known.exported.get(window, 0) > published.revision:
        return "exported before, and not published"
    return None


def _next(window: MinuteWindow, known: Known) -> int:
    published = known.published.get(window)
    return 0 if published is None else published.revision + 1


def _given_up(window: MinuteWindow, known: Known) -> bool:
    """Whether the minute is reported as it is: nobody else will, and the time limit is over."""
    missing = window not in known.published
    return missing and window.end + known.completeness_timeout + GIVEN_UP <= known.now
