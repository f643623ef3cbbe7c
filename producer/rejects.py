"""Rows that can't become events: counted, the first ones shown, all of them written where that is asked for."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from rich.console import Console
from rich.table import Table

from clickpulse.errors import ConfigurationError

SHOWN = 20


class Rejects:
    """The rows that did not fit.

    Args:
        path: JSON lines with `file`, `line` and `reason`; None writes none.
    """

    def __init__(self, path: Path | None) -> None:
        self.count = 0
        self._path = path
        self._file: IO[str] | None = None
        self._first: list[tuple[str, int, str]] = []

    def __enter__(self) -> Self:
        if self._path is not None:
            try:
                self._file = self._path.open("w", encoding="utf-8")
            except OSError as error:
                raise ConfigurationError(f"--rejects {self._path} can't be written: {error.strerror}") from error
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, file: str, line: int, reason: str) -> None:
        self.count += 1
        if len(self._first) < SHOWN:
            self._first.append((file, line, reason))
        if self._file is not None:
            # ASCII, as the reason may quote bytes that are no text.
            self._file.write(json.dumps({"file": file, "line": line, "reason": reason}) + "\n")

    def show(self) -> None:
        """The first rejected rows as a table on standard error."""
        if not self.count:
            return
        more = f", the first {len(self._first)}" if self.count > len(self._first) else ""
        table = Table(title=f"{self.count:,} rows were rejected{more}", title_justify="left")
        table.add_column("file", overflow="fold")
        table.add_column("line", justify="right")
        table.add_column("reason", overflow="fold")
        for file, line, reason in self._first:
            table.add_row(file, str(line), reason.encode("utf-8", "backslashreplace").decode())
        Console(stderr=True, markup=False, highlight=False).print(table)
