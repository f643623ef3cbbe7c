"""The rows of all files of a replay that fit the mapping; the others are rejected, damaged files are reported."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import structlog

from clickpulse.errors import BadRecordError
from clickpulse.future import FUTURE_TIMESTAMP, FutureLimit
from producer.files import BadFileError, read_rows, short_names
from producer.mapping import Mapping
from producer.rejects import Rejects
from producer.row_mapper import Mapped, RowMapper

log = structlog.get_logger()


class RecordedRow(NamedTuple):
    """A mapped row and where it comes from; sorts by time, then file, then line."""

    time_ms: int
    file: int
    line: int
    mapped: Mapped


class Recording:
    """The files, read through the mapping.

    Args:
        paths: the files.
        mapping: what the columns mean.
        rejects: takes the rows that do not fit.
        future: rows that are further ahead of the clock are rejected; None takes all.
    """

    def __init__(
        self, paths: list[Path], mapping: Mapping, rejects: Rejects, *, future: FutureLimit | None = None
    ) -> None:
        self.names = short_names(paths)
        self.rows_read = 0
        self.bad_files: list[dict[str, str]] = []
        self._paths = paths
        self._mapper = RowMapper(mapping)
        self._options = mapping.csv
        self._rejects = rejects
        self._future = future

    def rows(self) -> Iterator[RecordedRow]:
        """The rows as they are in the files, one file after the other."""
        for file in range(len(self._paths)):
            yield from self._rows_of(file)

    def rows_in_order(self) -> Iterator[RecordedRow]:
        """The rows of files that are each in order of time, merged; a row that goes back in time is rejected."""
        return heapq.merge(*(self._ordered(file) for file in range(len(self._paths))))

    def _ordered(self, file: int) -> Iterator[RecordedRow]:
        last = 0
        for row in self._rows_of(file):
            if row.time_ms < last:
                back = (last - row.time_ms) / 1000
                self._rejects.add(
                    self.names[file], row.line, f"event_timestamp goes back by {back:g} s: replay without --sorted"
                )
                continue
            last = row.time_ms
            yield row

    def _rows_of(self, file: int) -> Iterator[RecordedRow]:
        """The rows of one file; of a damaged one those before the damage."""
        name = self.names[file]
        try:
            for line, values in read_rows(self._paths[file], self._mapper.columns, self._options):
                self.rows_read += 1
                try:
                    mapped = self._map(values)
                except BadRecordError as error:
                    self._rejects.add(name, line, error.reason)
                else:
                    yield RecordedRow(mapped.time_ms, file, line, mapped)
        except BadFileError as error:
            self.bad_files.append({"file": name, "problem": str(error)})
            log.error("bad_file", file=name, problem=str(error))  # noqa: TRY400 - the message says it all

    def _map(self, values: Sequence[Any] | BadRecordError) -> Mapped:
        if isinstance(values, BadRecordError):
            raise values
        mapped = self._mapper.map(values)
        if self._future is not None and (ahead := self._future.fault(mapped.time_ms)):
            raise BadRecordError(f"{ahead}: use --at to move it", FUTURE_TIMESTAMP)
        return mapped
