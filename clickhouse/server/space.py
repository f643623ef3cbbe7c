"""What is done while the disk of the data is nearly full.

The engine takes no notice of a write that fails for want of space: the part that an insert or a merge has just made
stays empty and counts as stored. So a full disk must not take it by surprise:

- With less than the reserve and 16 MB free it refuses inserts and begins no merge (`config.xml`).
- The reserve is a file, given back when space gets low: what is under way can end, and a server can start.
- What was made while the space ran out is checked, an insert before it is acknowledged. If a part is broken the process
  ends at once, as after a kill. The next one sets the part aside and takes up again what it was merged from, which is
  kept for a minute; an insert without an answer is tried again by whoever made it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import structlog

from clickhouse.server.engine import Connection
from clickhouse.server.errors import NO_SUCH_DATA_PART, UNKNOWN_TABLE, QueryError

_LOOK_SECONDS = 0.5
_SUSPECT_SECONDS = 5
"""What was made so long before the space was last seen may have been under way when it ran out."""
_MB = 1_000_000

log = structlog.get_logger("clickhouse.server")


class SpaceGuard:
    """Watches the free space of `folder` from `start` to `stop`.

    Args:
        connect: gives a connection that may check tables; it is closed by `stop`.
        folder: the engine's data.
        reserve_bytes: of the file that is laid aside.
        needed_bytes: with less free space nothing is written; 0 for no watch.
        end: ends this process at once.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        folder: Path,
        *,
        reserve_bytes: int,
        needed_bytes: int,
        end: Callable[[], None] = lambda: os._exit(1),
    ) -> None:
        self._folder = folder
        self._reserve = folder / "reserve"
        self._reserve_bytes = reserve_bytes
        self._needed = needed_bytes
        self._end = end
        self._low = False
        self._had_space_at = time.time()
        self._good: set[str] = set()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="space", daemon=True)
        self._connection = connect()

    def start(self) -> None:
        if self._needed:
            self._look()
            self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        self._connection.close()

    def confirm(self) -> None:
        """What has just been written is there; to be called before it is acknowledged.

        Raises:
            QueryError: that could not be found out.
        """
        if self._needed and self._free() < self._needed:
            self._check()

    def _watch(self) -> None:
        while not self._stopped.wait(_LOOK_SECONDS):
            try:
                self._look()
            except (OSError, QueryError) as error:
                log.warning("space_unknown", folder=str(self._folder), reason=str(error))

    def _look(self) -> None:
        free = self._free()
        if free < self._needed:
            if not self._low:
                self._low = True
                sizes = {"free_mb": free // _MB, "needed_mb": self._needed // _MB}
                log.warning("disk_nearly_full", folder=str(self._folder), **sizes)
                self._reserve.unlink(missing_ok=True)
            self._check()
        elif self._lay_aside(free):
            if self._low:
                self._check()
                self._low = False
                self._good.clear()
                log.info("disk_has_space", folder=str(self._folder), free_mb=free // _MB)
            self._had_space_at = time.time()

    def _lay_aside(self, free: int) -> bool:
        """Whether the reserve is there; it is made only where enough is left besides."""
        if self._reserve.exists():
            return True
        if free < self._needed + self._reserve_bytes:
            return False
        with self._reserve.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, self._reserve_bytes)
        return True

    def _check(self) -> None:
        """End the process if a part that was made while the space ran out is broken."""
        with self._lock:
            for database, table, part in self._suspects():
                name = f"{database}.{table} {part}"
                if name not in self._good and self._is_broken(database, table, part):
                    log.error("part_broken", table=f"{database}.{table}", part=part, reason="the disk was full")
                    self._reserve.unlink(missing_ok=True)  # which the next process may need to start
                    self._end()
                self._good.add(name)

    def _suspects(self) -> Iterator[tuple[str, str, str]]:
        since = int(self._had_space_at) - _SUSPECT_SECONDS
        rows = self._connection.text(
            "SELECT database, table, name FROM system.parts"  # noqa: S608 - a number
            f" WHERE active AND modification_time >= fromUnixTimestamp({since})"
        )
        for row in rows.splitlines():
            database, table, part = row.split("\t")
            yield database, table, part

    def _is_broken(self, database: str, table: str, part: str) -> bool:
        check = f"CHECK TABLE `{database}`.`{table}` PART '{part}' SETTINGS check_query_single_value_result = 1"
        try:
            return self._connection.text(check) != "1"
        except QueryError as error:
            if error.code in {NO_SUCH_DATA_PART, UNKNOWN_TABLE}:  # merged meanwhile, for which it had to be read
                return False
            raise

    def _free(self) -> int:
        system = os.statvfs(self._folder)
        return system.f_bavail * system.f_frsize
