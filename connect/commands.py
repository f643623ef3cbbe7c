"""`clickpulse connect register | status | restart`: the connector in Kafka Connect."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from clickpulse.settings import ConnectSettings
    from connect.rest import ConnectorState

console = Console()
_connect = typer.Typer(no_args_is_help=True, help="The ClickHouse sink in Kafka Connect (SINK=connect).")
_MARKS = {
    "RUNNING": "[green]● running",
    "FAILED": "[red]✗ failed",
    "PAUSED": "[yellow]◐ paused",
    "UNASSIGNED": "[yellow]◐ not assigned",
}
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add the command `connect`."""
    app.add_typer(_connect, name="connect")


def _settings() -> ConnectSettings:
    from clickpulse.settings import ConnectSettings

    return ConnectSettings.load()


@_connect.command("register")
def register_connector(*, as_json: Json = False) -> None:
    """Register the connector with the worker, as the settings say; harmless if it is registered."""
    from connect.register import WAIT_SECONDS
    from connect.register import register as register_now

    settings = _settings()
    changed = register_now(settings, wait_seconds=WAIT_SECONDS)
    if as_json:
        typer.echo(json.dumps({"connector": settings.connector_name, "changed": changed}))
    else:
        console.print(f"{settings.connector_name}: {'registered' if changed else 'was registered just so'}")


@_connect.command()
def status(*, as_json: Json = False) -> None:
    """Show the connector and its tasks, with the trace of what failed. Exit status 1 unless all of it runs."""
    from connect.rest import ConnectRest

    settings = _settings()
    with ConnectRest(str(settings.url), settings.connector_name) as rest:
        state = rest.state()
    if as_json:
        parts = [{"name": p.name, "state": p.state, "worker": p.worker, "trace": p.trace} for p in state.parts]
        document = {"connector": settings.connector_name, "registered": state.registered, "running": state.running}
        typer.echo(json.dumps(document | {"parts": parts}, indent=2))
    elif not state.registered:
        console.print(f"{settings.connector_name} is not registered: `clickpulse connect register`")
    else:
        _print(state)
    if not state.running:
        raise typer.Exit(1)


def _print(state: ConnectorState) -> None:
    table = Table("", "state", "worker", box=None, header_style="bold")
    for part in state.parts:
        table.add_row(part.name, _MARKS.get(part.state, part.state.lower()), part.worker)
    console.print(table)
    for part in state.failed:
        console.print(f"\n{part.name}: {part.cause}", style="red", markup=False, highlight=False)
        console.print(part.trace.rstrip(), markup=False, highlight=False, soft_wrap=True)


@_connect.command()
def restart(
    *,
    all_tasks: Annotated[bool, typer.Option("--all", help="Also what runs; otherwise only what failed.")] = False,
    as_json: Json = False,
) -> None:
    """Restart the connector's failed tasks; nothing that was committed is read again."""
    from connect.rest import ConnectRest

    settings = _settings()
    with ConnectRest(str(settings.url), settings.connector_name) as rest:
        failed = [part.name for part in rest.state().failed]
        rest.restart(only_failed=not all_tasks)
    restarted = ["all"] if all_tasks else failed
    if as_json:
        typer.echo(json.dumps({"connector": settings.connector_name, "restarted": restarted}))
    else:
        console.print(f"restarted: {', '.join(restarted) or 'nothing had failed'}")
