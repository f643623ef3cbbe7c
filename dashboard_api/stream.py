"""New reports, pushed to those who follow: server-sent events with the reports' positions as ids.

A notification only wakes the streams; what they send they read from the repository, from their own position on. So a
reader that comes back with `Last-Event-ID` misses nothing, whichever replica stored it, and whichever it asks.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http import HTTPStatus

from starlette.concurrency import run_in_threadpool

from clickpulse.errors import TransientError
from dashboard_api.answers import stored_report
from dashboard_api.problems import ProblemError
from dashboard_api.repository import ReportRepository, StoredRow

MEDIA_TYPE = "text/event-stream"
KEEP_ALIVE_SECONDS = 15.0
"""A comment is sent where nothing else is, so that proxies and both ends see that the other is there."""

_AT_ONCE = 100
_RETRY_SECONDS = 3


class Followers:
    """The open streams of this process; lives in its event loop."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._woken: set[asyncio.Event] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.closing = False

    def __len__(self) -> int:
        return len(self._woken)

    def check_room(self) -> None:
        """Raise `ProblemError` (503) where there are as many streams as this process takes."""
        if len(self._woken) >= self._most:
            detail = f"{self._most} readers follow this process already: try again, or poll /api/v1/reports/latest"
            headers = {"Retry-After": str(_RETRY_SECONDS)}
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "too-many-streams", detail, headers=headers)

    def open(self) -> None:
        """Called in the event loop that the streams will run in."""
        self._loop = asyncio.get_running_loop()

    def wake(self) -> None:
        """Have all streams look for news; may be called in any thread."""
        if self._loop and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake_all)

    def close(self) -> None:
        """End all streams, so that the server can stop; may be called in any thread."""
        self.closing = True
        self.wake()

    @contextmanager
    def joined(self) -> Iterator[asyncio.Event]:
        """An event that is set when there may be news."""
        woken = asyncio.Event()
        self._woken.add(woken)
        try:
            yield woken
        finally:
            self._woken.discard(woken)

    def _wake_all(self) -> None:
        for woken in self._woken:
            woken.set()


async def events(followers: Followers, repository: ReportRepository, position: int) -> AsyncIterator[str]:
    """The stream's text, from after `position` until the reader or the service goes."""
    with followers.joined() as news:
        yield f"retry: {_RETRY_SECONDS * 1000}\n\n"
        while not followers.closing:
            news.clear()
            found = await _look(repository, position)
            for number, row in found:
                yield _event(number, row)
                position = number
            if len(found) < _AT_ONCE and not await _set_in_time(news):
                yield ": nothing new\n\n"


async def _look(repository: ReportRepository, position: int) -> list[tuple[int, StoredRow]]:
    """What there is; nothing while the database is away, which ends with a wake-up."""
    try:
        return await run_in_threadpool(repository.after, position, _AT_ONCE)
    except TransientError:
        return []


async def _set_in_time(news: asyncio.Event) -> bool:
    try:
        await asyncio.wait_for(news.wait(), KEEP_ALIVE_SECONDS)
    except TimeoutError:
        return False
    return True


def _event(position: int, row: StoredRow) -> str:
    data = json.dumps(stored_report(row), ensure_ascii=False, separators=(",", ":"))
    return f"id: {position}\nevent: report\ndata: {data}\n\n"
