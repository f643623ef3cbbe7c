"""The account of a run: what was generated and what became of it, for people, scripts and a verifier."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from clickpulse.errors import ConfigurationError

Summary = dict[str, Any]

_COUNTS = ("generated", "acknowledged", "dead_lettered", "failed", "outstanding", "rejected")
_UPDATE_SECONDS = 1.0
_SHARE_OF_TIME = 50
"""A summary of many minutes is written less often: writing takes at most a fiftieth of the time."""


class SummaryFile:
    """Keeps a JSON file up to date while the run goes on, so that a killed run leaves an account as well.

    Args:
        path: the file; None keeps nothing.
        summary: gives the current summary.
        monotonic: seconds, for tests.
    """

    def __init__(
        self, path: Path | None, summary: Callable[[], Summary], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = path
        self._summary = summary
        self._monotonic = monotonic
        self._next = monotonic()

    def update(self) -> None:
        """Write the file if it is older than a second or so."""
        if self._path is not None and (now := self._monotonic()) >= self._next:
            self.write()
            took = self._monotonic() - now
            self._next = now + max(_UPDATE_SECONDS, took * _SHARE_OF_TIME)

    def write(self) -> None:
        """Replace the file at once: a reader sees the old or the new content, never a part.

        Raises:
            ConfigurationError: the file cannot be written.
        """
        if self._path is None:
            return
        part = self._path.with_name(f".{self._path.name}.{os.getpid()}.part")
        try:
            part.write_text(json.dumps(self._summary(), indent=1) + "\n", encoding="utf-8")
            part.replace(self._path)
        except OSError as error:
            raise ConfigurationError(f"--summary {self._path} cannot be written: {error.strerror}") from error


def print_summary(summary: Summary, *, as_json: bool) -> None:
    """The end of a run on standard output: a table for people or one JSON document."""
    if as_json:
        print(json.dumps(summary))  # noqa: T201 - the result of the command
        return
    table = Table(title=f"events to {summary['topic']}", title_justify="left")
    table.add_column("")
    table.add_column("events", justify="right")
    for name in _COUNTS:
        if name in summary:
            table.add_row(name.replace("_", "-"), f"{summary[name]:,}")
    table.add_section()
    for event_type, count in summary["by_event_type"].items():
        table.add_row(f"  {event_type}", f"{count:,}")
    Console().print(table)
