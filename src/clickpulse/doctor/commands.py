"""`clickpulse doctor`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from clickpulse.doctor.model import size

if TYPE_CHECKING:
    from rich.table import Table

    from clickpulse.doctor.examination import Examination
    from clickpulse.doctor.model import Holding, Part

_COLUMNS: tuple[tuple[str, Literal["left", "right"]], ...] = (
    ("", "left"),
    ("how many", "right"),
    ("size", "right"),
    ("oldest (UTC)", "left"),
    ("newest (UTC)", "left"),
    ("kept", "left"),
)
"""Those in which nothing would stand are left out."""

_WRAPPED = frozenset({0, 5})
_FILE_WIDTH = 160


def register(app: typer.Typer) -> None:
    """Add the command `doctor`."""
    app.command("doctor")(doctor)


def doctor(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="All of it as JSON, and nothing else, on stdout.")] = False,
    clean_airflow: Annotated[
        int | None,
        typer.Option(
            metavar="DAYS",
            min=1,
            help="First delete older runs from the metadata of this machine's Airflow (`airflow db clean`).",
        ),
    ] = None,
) -> None:
    """Say what is kept and how large it is, for how long the disk lasts, and what needs a hand.

    The exit status is 1 when something does, or a part is down.
    """
    import json
    import logging

    from clickpulse.doctor.examination import examine_all
    from clickpulse.logs import configure_logging

    configure_logging("doctor", level=logging.ERROR)  # that a call is repeated is no news here
    if clean_airflow is not None:
        _clean_airflow(clean_airflow)
    found = examine_all()
    if as_json:
        typer.echo(json.dumps(to_json(found), indent=2, ensure_ascii=False))
    else:
        _print(found)
    if not found.ok:
        raise typer.Exit(1)


def to_json(found: Examination) -> dict[str, Any]:
    """Plain values; times are ISO 8601 in UTC."""
    return {
        "checked_at": _iso(found.checked_at),
        "ok": found.ok,
        "findings": [
            {"part": part.name, "what": one.what, "remedy": one.remedy, "action": one.action}
            for part, one in found.findings
        ],
        "parts": {part.name: _part(part) for part in found.parts},
    }


def _part(part: Part) -> dict[str, Any]:
    return {
        "title": part.title,
        "answers": not part.problem,
        "problem": part.problem or None,
        "bytes_last_day": part.bytes_last_day,
        "holdings": [
            {
                "name": one.name,
                "unit": one.unit or None,
                "count": one.count,
                "bytes": one.bytes,
                "oldest": _iso(one.oldest),
                "newest": _iso(one.newest),
                "kept": one.kept,
            }
            for one in part.holdings
        ],
    }


def _print(found: Examination) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console()
    if not console.is_terminal:
        console = Console(width=max(console.width, _FILE_WIDTH))
    for part in found.parts:
        if part.problem:
            console.print(f"[bold]{part.title}[/]  [red]no answer[/]")
        else:
            console.print(_table(part))
    for part, finding in found.findings:
        mark = "[red]▲[/]" if finding.action else "[yellow]●[/]"
        console.print(f"{mark} [bold]{part.title}[/]: {escape(finding.what)}")
        console.print(f"  → {escape(finding.remedy)}")
    if found.ok:
        console.print("[green]● nothing needs a hand[/]")


def _table(part: Part) -> Table:
    from rich.table import Table

    grown = f", {size(part.bytes_last_day)} in the last day" if part.bytes_last_day else ""
    table = Table(title=f"{part.title}{grown}", title_justify="left", title_style="bold", box=None, pad_edge=False)
    rows = [
        (one.name, _count(one), size(one.bytes), _shown(one.oldest), _shown(one.newest), one.kept)
        for one in part.holdings
    ]
    filled = [place for place in range(len(_COLUMNS)) if place == 0 or any(row[place] for row in rows)]
    for place in filled:
        name, justify = _COLUMNS[place]
        table.add_column(name, justify=justify, overflow="fold", no_wrap=place not in _WRAPPED)
    for row in rows:
        table.add_row(*(row[place] for place in filled))
    return table


def _count(one: Holding) -> str:
    return "" if one.count is None else f"{one.count:,} {one.unit}"


def _shown(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _clean_airflow(days: int) -> None:
    """`airflow db clean` with the settings of this machine's Airflow.

    Raises:
        ClickpulseError: there is no stack here, or Airflow could not do it.
    """
    from clickpulse.errors import ConfigurationError
    from clickpulse.settings import home_dir, stack_env_file
    from local.services.airflow import environment
    from local.services.base import python_module, run_step
    from local.settings import LocalSettings, log_dir
    from local.stack import open_stack

    if not stack_env_file().is_file():
        raise ConfigurationError(
            f"there is no stack in {home_dir()}: in containers run "
            "`docker compose exec airflow-scheduler python -m clickpulse.airflow.launch db clean …`"
        )
    stack = open_stack(LocalSettings.load())
    before = (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="seconds")
    command = python_module("airflow", "db", "clean", "--clean-before-timestamp", before, "--skip-archive", "--yes")
    run_step(command, {**stack.environment, **environment(stack)}, log_dir() / "airflow-db-clean.log")
