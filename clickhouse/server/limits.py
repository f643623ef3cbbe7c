"""How many queries run at once, and how many wait for their turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from clickhouse.server.errors import TOO_MANY_SIMULTANEOUS_QUERIES, QueryError

QUEUE_PER_SLOT = 4
QUEUE_SECONDS = 30.0


class Slots:
    """Places for running queries; more of them wait in line for a while."""

    def __init__(self, size: int, *, queue_seconds: float = QUEUE_SECONDS) -> None:
        self._size = size
        self._free = asyncio.Semaphore(size)
        self._waiting = 0
        self._queue_seconds = queue_seconds

    @asynccontextmanager
    async def take(self) -> AsyncIterator[None]:
        """Hold a place while the block runs.

        Raises:
            QueryError: code 202 when the line is too long or does not move.
        """
        if self._free.locked() and self._waiting >= self._size * QUEUE_PER_SLOT:
            raise self._refusal()
        self._waiting += 1
        try:
            await asyncio.wait_for(self._free.acquire(), self._queue_seconds)
        except TimeoutError:
            raise self._refusal() from None
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._free.release()

    def _refusal(self) -> QueryError:
        return QueryError(
            TOO_MANY_SIMULTANEOUS_QUERIES,
            f"Too many simultaneous queries. Maximum: {self._size}, waiting: {self._waiting}",
        )
