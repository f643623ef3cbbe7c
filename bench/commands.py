"""`clickpulse bench`: measure the running stack and print a table or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from bench.measurements import Figure

console = Console(stderr=True)


def register(app: typer.Typer) -> None:
    """Add the command `bench`."""
    app.command()(bench)


def bench(  # noqa: PLR0917 - options of a command line
    minutes: Annotated[int, typer.Option(min=1, help="Whole minutes of traffic for the freshness.")] = 10,
    rate: Annotated[float, typer.Option(min=1, help="Events per second during them.")] = 500,
    sinks: Annotated[
        bool, typer.Option("--sinks", help="Compare the embedded sink with Kafka Connect instead; takes 10 minutes.")
    ] = False,
    accounting: Annotated[
        bool, typer.Option("--accounting", help="Measure `clickpulse reconcile` instead; takes a minute.")
    ] = False,
    backfill: Annotated[
        bool, typer.Option("--backfill", help="Measure the backfill of a day instead; takes 15 minutes and 3 GiB.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the JSON to this file as well.")] = None,
) -> None:
    """Measure freshness, throughput, stages, sizes, memory and start of the running stack; takes minutes + 6 or so."""
    import logging

    import stamina.instrumentation

    from bench import machine
    from clickpulse.logs import configure_logging

    configure_logging("bench", level=logging.WARNING)
    stamina.instrumentation.set_on_retry_hooks([])  # waiting for a process to answer is part of the work here
    _require_healthy()
    figures: list[Figure] = []
    with _without_simulated_traffic():
        if accounting:
            figures += _accounting()
        elif backfill:
            figures += _backfill()
        else:
            figures += _both_sinks() if sinks else _whole_stack(rate, minutes)
    document = {"machine": machine.describe(), "figures": [asdict(figure) for figure in figures]}
    if out is not None:
        out.write_text(json.dumps(document, indent=2) + "\n")
    if as_json:
        typer.echo(json.dumps(document, indent=2))
    else:
        _print(document["machine"], figures)


def _accounting() -> list[Figure]:
    from bench import accounting

    return accounting.measure(_say)


def _backfill() -> list[Figure]:
    from bench import backfill

    return backfill.measure(_say)


def _both_sinks() -> list[Figure]:
    from bench import sinks

    return sinks.measure(_say)


def _whole_stack(rate: float, minutes: int) -> list[Figure]:
    from bench import freshness, sizes, stages, throughput, upkeep

    return [
        *freshness.measure(rate, minutes, _say),
        *upkeep.measure(),
        *throughput.measure(_say),
        *stages.measure(_say),
        *sizes.measure(_say),
    ]


def _say(text: str) -> None:
    console.print(f"[dim]{text}")


def _require_healthy() -> None:
    from clickpulse.errors import ClickpulseError
    from local.status import stack_status

    services = stack_status()
    if not services:
        raise ClickpulseError("no stack was started here: `./clickpulse up` first")
    if unwell := [service.name for service in services if service.health != "healthy"]:
        raise ClickpulseError(f"not healthy: {', '.join(unwell)}; see `./clickpulse status`")


@contextmanager
def _without_simulated_traffic() -> Iterator[None]:
    """Stop the light traffic meanwhile: its events would be in the reports that are compared with the producer."""
    from local.services.traffic import NAME
    from local.supervision import Supervisor

    supervisor = Supervisor()
    ran = NAME in supervisor.processes()
    if ran:
        supervisor.stop(NAME)
    try:
        yield
    finally:
        if ran:
            supervisor.start(NAME)


def _print(machine: object, figures: list[Figure]) -> None:
    output = Console()
    if isinstance(machine, dict):
        output.print("\n".join(f"{name}: {value}" for name, value in machine.items()))
    table = Table("", "figure", "value", "aim", "how", box=None, header_style="bold")
    group = ""
    for figure in figures:
        shown = f"{figure.value:,.0f}" if abs(figure.value) >= 100 else f"{figure.value:.3g}"  # noqa: PLR2004
        table.add_row(
            figure.group if figure.group != group else "",
            figure.name,
            f"{shown} {figure.unit}",
            figure.aim,
            figure.note,
        )
        group = figure.group
    output.print(table)
