"""Connections to Postgres: a bounded pool that never hands out a connection known to be broken."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Any, TypeVar

import psycopg2
import stamina
from psycopg2.extensions import TRANSACTION_STATUS_IDLE
from psycopg2.extensions import connection as Connection  # noqa: N812  # psycopg2 names its class in lower case
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from psycopg2.extras import DictCursor

from clickpulse.errors import TransientError

UNREACHABLE = (psycopg2.OperationalError, psycopg2.InterfaceError)
"""What psycopg2 raises when the server is away, going down, or the connection is dead."""

T = TypeVar("T")


class Database:
    """Runs units of work, each in one transaction, on at most `size` connections.

    Nothing connects before the first unit of work. psycopg2's own pool either connects when made
    or keeps no connection, and knows no waiting, so this one is ours.

    Args:
        url: a libpq URL; it is kept out of logs and messages.
        size: the most connections at once; further callers wait.
        wait_seconds: how long they wait.
    """

    def __init__(self, url: str, size: int, *, wait_seconds: float = 5) -> None:
        self._url = url
        self._size = size
        self._wait_seconds = wait_seconds
        self._free = BoundedSemaphore(size)
        self._idle: deque[Connection] = deque()

    def run(self, work: Callable[[Cursor], T]) -> T:
        """Call `work` with a cursor in a transaction and commit; it must be safe to call again.

        A connection that died while it was idle is replaced unnoticed.

        Raises:
            TransientError: Postgres can't be reached, or all connections stayed busy.
        """
        try:
            return self._attempt(work)
        except UNREACHABLE as error:
            raise TransientError(f"Postgres does not answer: {_first_line(error)}") from error

    @stamina.retry(on=UNREACHABLE, attempts=3, wait_initial=0.05, wait_max=0.2, wait_jitter=0.05, timeout=5)
    def _attempt(self, work: Callable[[Cursor], T]) -> T:
        with self._connection() as connection, connection, connection.cursor(cursor_factory=DictCursor) as cursor:
            return work(cursor)

    def close(self) -> None:
        """Close the idle connections; those in use are closed when given back."""
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        if not self._free.acquire(timeout=self._wait_seconds):
            raise TransientError(f"all {self._size} connections to Postgres stayed busy for {self._wait_seconds:g} s")
        connection: Connection | None = None
        try:
            connection = self._take()
            yield connection
        except UNREACHABLE:
            self.close()  # the server went away: whatever idles was connected to the same one
            raise
        finally:
            if connection is not None:
                self._give_back(connection)
            self._free.release()

    def _take(self) -> Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return self.connect()

    def connect(self) -> Connection:
        """A connection of the caller's own, which is not one of the pool's.

        Raises:
            psycopg2.OperationalError: Postgres can't be reached.
        """
        options: dict[str, Any] = {
            "connect_timeout": 3,
            "application_name": "clickpulse-report-api",
            "options": "-c timezone=UTC -c statement_timeout=5000 -c lock_timeout=5000",
            "keepalives_idle": 10,
            "keepalives_interval": 3,
            "keepalives_count": 3,
            "tcp_user_timeout": 10_000,
        }
        connection: Connection = psycopg2.connect(self._url, **options)
        return connection

    def _give_back(self, connection: Connection) -> None:
        if not connection.closed and connection.info.transaction_status == TRANSACTION_STATUS_IDLE:
            self._idle.append(connection)
        else:
            connection.close()


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
