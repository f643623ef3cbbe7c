"""Brings the rows of all files into order of time in bounded memory: sorted runs on disk, merged while being sent."""

from __future__ import annotations

import heapq
import marshal
import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import IO, Self

from producer.recording import RecordedRow
from producer.row_mapper import Mapped

MAX_ROWS_IN_MEMORY = 250_000
"""About 125 MB; more rows go to temporary files, about 250 bytes a row."""
_CHUNK = 1_000


class Sorter:
    """Collects rows and gives them back in order.

    Up to `max_rows` rows stay in memory; the runs of more are temporary files, gone when the context is left.
    """

    def __init__(self, max_rows: int = MAX_ROWS_IN_MEMORY) -> None:
        self._max_rows = max_rows
        self._rows: list[RecordedRow] = []
        self._runs: list[IO[bytes]] = []
        self.count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        for run in self._runs:
            run.close()

    def add(self, row: RecordedRow) -> None:
        self._rows.append(row)
        self.count += 1
        if len(self._rows) >= self._max_rows:
            self._spill()

    def sorted(self) -> Iterator[RecordedRow]:
        """All rows in order; ask once, after the last `add`."""
        self._rows.sort()
        return heapq.merge(*(_read(run) for run in self._runs), self._rows) if self._runs else iter(self._rows)

    def _spill(self) -> None:
        run = tempfile.TemporaryFile(prefix="clickpulse-replay-")  # noqa: SIM115 - closed with the context
        self._runs.append(run)
        self._rows.sort()
        for start in range(0, len(self._rows), _CHUNK):
            chunk = self._rows[start : start + _CHUNK]
            marshal.dump([(row.time_ms, row.file, row.line, tuple(row.mapped)) for row in chunk], run)
        run.seek(0)
        self._rows = []


def _read(run: IO[bytes]) -> Iterator[RecordedRow]:
    while True:
        try:
            chunk = marshal.load(run)  # noqa: S302 - written by this process into a file without a name
        except EOFError:
            return
        for time_ms, file, line, mapped in chunk:
            yield RecordedRow(time_ms, file, line, Mapped(*mapped))
