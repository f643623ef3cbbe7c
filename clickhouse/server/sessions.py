"""HTTP sessions: a named connection of the engine that keeps settings and temporary tables between requests."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from clickhouse.server.auth import User
from clickhouse.server.engine import Connection
from clickhouse.server.errors import SESSION_IS_LOCKED, SESSION_NOT_FOUND, QueryError
from clickhouse.server.request import SessionRequest


@dataclass
class Session:
    connection: Connection
    timeout_seconds: int
    busy: bool = False
    idle_since: float = 0


class Sessions:
    """Not for several threads: call it from the event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sessions: dict[tuple[str, str], Session] = {}

    @contextmanager
    def hold(self, user: User, request: SessionRequest, connect: Callable[[], Connection]) -> Iterator[Connection]:
        """The session's connection, locked while the block runs.

        Raises:
            QueryError: code 373 while another request holds it, 372 where it must exist and does not.
        """
        key = (user.name, request.id)
        session = self._sessions.get(key)
        if session is None:
            if request.must_exist:
                raise QueryError(SESSION_NOT_FOUND, f"Session {request.id} not found")
            session = self._sessions[key] = Session(connect(), request.timeout_seconds)
        if session.busy:
            raise QueryError(SESSION_IS_LOCKED, f"Session {request.id} is locked by a concurrent client")
        session.busy = True
        session.timeout_seconds = request.timeout_seconds
        try:
            yield session.connection
        finally:
            session.busy = False
            session.idle_since = self._clock()
            if request.close:
                del self._sessions[key]
                session.connection.close()

    def close_expired(self) -> int:
        """Close what nobody used for its timeout; gives how many."""
        now = self._clock()
        expired = [
            key
            for key, session in self._sessions.items()
            if not session.busy and now - session.idle_since > session.timeout_seconds
        ]
        for key in expired:
            self._sessions.pop(key).connection.close()
        return len(expired)

    def close(self) -> None:
        """Close all; none may be busy."""
        while self._sessions:
            self._sessions.popitem()[1].connection.close()
