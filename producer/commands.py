"""The producer's part of the `clickpulse` command: `simulate` and `replay`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

SummaryOption = Annotated[
    Path | None,
    typer.Option("--summary", help="keep the account of the run in this file, as JSON"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="print the account as JSON")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="no progress, only warnings")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(simulate)
    app.command()(replay)


def simulate(
    *,
    rate: Annotated[float, typer.Option(min=0.001, help="events a second; in the daily rhythm the mean of a day")],
    duration: Annotated[float | None, typer.Option(min=0, help="seconds; without it until SIGTERM or Ctrl-C")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="the same things happen for the same seed")] = None,
    flat: Annotated[bool, typer.Option("--flat", help="exactly constant rate, no daily rhythm, no chance")] = False,
    incident: Annotated[
        list[str] | None,
        typer.Option(
            help="TYPE:errors:SHARE:FROM..TO or TYPE:latency:xFACTOR:FROM..TO; TYPE or ALL; minutes after the start "
            "(PAYMENT:errors:0.4:2..5) or times (2026-11-22T10:05Z..2026-11-22T10:08Z)"
        ),
    ] = None,
    summary: SummaryOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Simulated users walk through a shop; their interactions go to Kafka. Status 1 if not everything was delivered."""
    from clickpulse.logs import configure_logging
    from producer.simulate import command

    configure_logging("producer", level=_level(quiet=quiet))
    delivered = command(
        rate=rate,
        duration_seconds=duration,
        seed=seed,
        flat=flat,
        incident_texts=incident or [],
        summary_path=summary,
        as_json=as_json,
        quiet=quiet,
    )
    raise typer.Exit(0 if delivered else 1)


def replay(
    files: Annotated[list[str], typer.Argument(help="files, folders, globs or prefixes: CSV, JSON lines, Parquet")],
    *,
    mapping: Annotated[Path, typer.Option(help="YAML: which column becomes which field")],
    at: Annotated[str, typer.Option(help="when the first event happens: now, original, or a time")] = "now",
    speed: Annotated[str, typer.Option(help="2 is twice as fast as it was; max is as fast as possible")] = "1",
    in_order: Annotated[
        bool, typer.Option("--sorted", help="each file is in order of time: send while reading, without sorting first")
    ] = False,
    rejects: Annotated[Path | None, typer.Option(help="all rows that do not fit, as JSON lines")] = None,
    summary: SummaryOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Send recorded clickstreams to Kafka. Status 1 if a file was unreadable or an event was not delivered."""
    from clickpulse.logs import configure_logging
    from producer.replay import command

    configure_logging("producer", level=_level(quiet=quiet))
    succeeded = command(
        patterns=files,
        mapping_path=mapping,
        at=at,
        speed=speed,
        in_order=in_order,
        rejects_path=rejects,
        summary_path=summary,
        as_json=as_json,
        quiet=quiet,
    )
    raise typer.Exit(0 if succeeded else 1)


def _level(*, quiet: bool) -> int:
    import logging

    return logging.WARNING if quiet else logging.INFO
