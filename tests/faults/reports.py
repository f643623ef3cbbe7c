"""What the report API has of a minute, asked as any reader would; while it is away there is nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from clickpulse.clients import report_reader
from clickpulse.settings import ReportReaderSettings
from clickpulse.windows import MinuteWindow

RECENT_MINUTES = 5
"""A report may be late on a busy machine."""

_POLL_SECONDS = 0.25


@dataclass(frozen=True)
class Counted:
    """A minute's newest revision."""

    revision: int
    complete: bool
    events: int


Fetch = Callable[[MinuteWindow], Counted | None]


def fetch_report(window: MinuteWindow) -> Counted | None:
    """The newest revision; None while there is none or the API does not answer."""
    found = read(f"/api/v1/reports/{window}")
    return None if found is None else Counted(found["revision"], found["complete"], found["totals"]["events"])


def newest_reported(now: datetime, *, fetch: Fetch = fetch_report) -> MinuteWindow | None:
    """The newest of the last minutes that has a complete report."""
    window = MinuteWindow.containing(now)
    for _ in range(RECENT_MINUTES):
        window = window.previous
        found = fetch(window)
        if found is not None and found.complete:
            return window
    return None


def read(path: str) -> Any:
    """What the report API answers with 200; None for anything else."""
    try:
        with report_reader(ReportReaderSettings.load(), seconds=5, connect_seconds=2) as api:
            answer = api.get(path)
    except httpx.TransportError:
        return None
    return answer.json() if answer.is_success else None


@dataclass
class Arrivals:
    """When complete reports came, as seen from outside.

    `first` and `last` are seconds since the epoch: of the first complete report of any of the minutes, and of the
    moment when all of them had the events that they have to have. None: it did not happen in time.
    """

    counted: dict[MinuteWindow, Counted]
    first: float | None
    last: float | None


def await_reports(
    expected: Mapping[MinuteWindow, int],
    after: float,
    *,
    seconds: float,
    fetch: Fetch = fetch_report,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> Arrivals:
    """Wait until every minute's newest report is complete and has the expected events, at most `seconds`.

    Args:
        expected: events that each minute's report has to count.
        after: a complete report is a new one if it is seen from this moment on, seconds since the epoch.
        seconds: the limit.
        fetch: asks for a minute's newest revision.
        clock: seconds since the epoch.
        sleep: between two looks.
    """
    deadline = clock() + seconds
    first: float | None = None
    counted: dict[MinuteWindow, Counted] = {}
    while True:
        for window in expected:
            found = fetch(window)
            if found is None:
                continue
            counted[window] = found
            if found.complete and first is None and clock() >= after:
                first = clock()
        if all(_right(counted.get(window), events) for window, events in expected.items()):
            return Arrivals(counted, first, clock())
        if clock() >= deadline:
            return Arrivals(counted, first, None)
        sleep(_POLL_SECONDS)


def _right(found: Counted | None, events: int) -> bool:
    return found is not None and found.complete and found.events == events


def problems_of(expected: Mapping[MinuteWindow, int], counted: Mapping[MinuteWindow, Counted]) -> list[str]:
    """Which minutes are not reported as they have to be."""
    return [text for window, events in sorted(expected.items()) for text in _problems(window, events, counted)]


def _problems(window: MinuteWindow, events: int, counted: Mapping[MinuteWindow, Counted]) -> Iterable[str]:
    found = counted.get(window)
    if found is None:
        yield f"{window} has no report"
        return
    if not found.complete:
        yield f"{window} is reported as incomplete (revision {found.revision})"
    if found.events < events:
        yield f"{window} lacks {events - found.events} of {events} events (revision {found.revision})"
    if found.events > events:
        yield f"{window} has {found.events - events} events more than the {events} acknowledged"
