"""Progress for a person who waits: on a terminal only, on standard error."""

from __future__ import annotations

import sys
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class Display:
    """One line that tells how far the command is; does nothing where nobody watches.

    Args:
        wanted: false for --quiet and --json.
    """

    def __init__(self, *, wanted: bool) -> None:
        self._progress: Progress | None = None
        if wanted and sys.stderr.isatty():
            self._progress = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[note]}"),
                TimeElapsedColumn(),
                console=Console(stderr=True),
            )

    def __enter__(self) -> Self:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def stage(self, description: str, total: int | None = None) -> None:
        """Begin something new; what went before disappears."""
        if self._progress is not None:
            for task in self._progress.task_ids:
                self._progress.remove_task(task)
            self._progress.add_task(description, total=total, note="")

    def update(self, done: int, outstanding: int | None = None) -> None:
        """`done` of the stage's total; `outstanding` are events that wait for Kafka."""
        if self._progress is not None:
            note = "" if outstanding is None else f"{outstanding:,} waiting for Kafka"
            self._progress.update(self._progress.task_ids[-1], completed=done, note=note)
