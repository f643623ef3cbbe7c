"""`clickpulse reconcile`: whether every event of a range of minutes is accounted for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from clickpulse.errors import ClickpulseError, ConfigurationError

if TYPE_CHECKING:
    from clickpulse.accounting.kafka import Progress
    from clickpulse.accounting.record import Account
    from clickpulse.windows import MinuteWindow

NOT_CHECKED = 2


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("reconcile")(reconcile)


def reconcile(
    start: Annotated[str, typer.Argument(metavar="FROM", help="The first minute, such as 2026-11-22T10:05Z.")],
    end: Annotated[str, typer.Argument(metavar="TO", help="The minute after the last.")],
    as_json: Annotated[bool, typer.Option("--json", help="The account as JSON, and nothing else, on stdout.")] = False,
) -> None:
    """Account for every event: acknowledged = reported + duplicates + late + dead-lettered + pending + missing.

    Asks Kafka for messages and offsets, ClickHouse for rows, the report API and S3 for reports and what they were made
    of, and the dead-letter topic. Exit status: 0 it adds up, 1 it does not, 2 it can't be checked.
    """
    from rich.console import Console

    try:
        account = _reconcile(start, end, quiet=as_json)
    except ClickpulseError as error:
        typer.secho(f"can't be checked: {error}", fg=typer.colors.RED, err=True)
        raise typer.Exit(NOT_CHECKED) from error
    if as_json:
        typer.echo(account.model_dump_json(by_alias=True, indent=2))
    else:
        from clickpulse.accounting.text import account_text

        Console().print(account_text(account))
    raise typer.Exit(0 if account.adds_up else 1)


def _reconcile(start: str, end: str, *, quiet: bool) -> Account:
    import logging
    from datetime import UTC, datetime

    from clickpulse.accounting.reconcile import reconcile as run
    from clickpulse.accounting.sources import open_sources, rules
    from clickpulse.logs import configure_logging

    configure_logging("reconcile", level=logging.WARNING)
    span = _span(start, end)
    now = datetime.now(UTC)
    with open_sources(span[0]) as sources, _progress(quiet=quiet) as progress:
        return run(sources, span, rules(), now, progress)


def _span(start: str, end: str) -> tuple[MinuteWindow, MinuteWindow]:
    from clickpulse.windows import MinuteWindow

    first, last = MinuteWindow.parse(start), MinuteWindow.parse(end)
    if first >= last:
        raise ConfigurationError(f"TO {last} is not after FROM {first}: the range is FROM to before TO")
    return first, last


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Progress | None]:
    """A bar on stderr where a person waits at a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield None
        return
    columns = TextColumn("messages read"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
