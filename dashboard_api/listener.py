"""Hears from Postgres that some process stored a report (LISTEN), on a connection and a thread of its own."""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from contextlib import closing
from threading import Thread

import stamina
import structlog
from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812  # psycopg2 names its class in lower case

from dashboard_api.database import UNREACHABLE

_STOP_SECONDS = 2.0

log = structlog.get_logger()


class Listener:
    """Calls `wake` at each notification, and after each connection: something may have come while there was none.

    Args:
        connect: makes a connection; raises what psycopg2 raises where Postgres can't be reached.
        wake: called in the listener's thread.
    """

    def __init__(self, connect: Callable[[], Connection], channel: str, wake: Callable[[], None]) -> None:
        self._connect = connect
        self._channel = channel
        self._wake = wake
        self._stopping = False
        self._stop_reader, self._stop_writer = os.pipe()
        # A daemon: while Postgres is away it waits between attempts, and nobody should wait for that.
        self._thread = Thread(target=self._run, name="listener", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping = True
        os.write(self._stop_writer, b"x")
        self._thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        while not self._stopping:
            with closing(self._reach()) as connection:
                try:
                    self._listen(connection)
                except UNREACHABLE as error:
                    log.warning("no news of reports from other replicas: connecting again", error=type(error).__name__)

    @stamina.retry(on=UNREACHABLE, attempts=None, timeout=None, wait_initial=0.2, wait_max=5)
    def _reach(self) -> Connection:
        return self._connect()

    def _listen(self, connection: Connection) -> None:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))
        self._wake()
        while not self._stopping:
            select.select([connection.fileno(), self._stop_reader], [], [])
            connection.poll()
            if connection.notifies:
                connection.notifies.clear()
                self._wake()
