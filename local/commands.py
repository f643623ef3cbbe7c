"""`clickpulse up | status | logs | restart | down`."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Self

import typer
from rich.console import Console
from rich.table import Table

from clickpulse.settings import creds_dir, home_dir

if TYPE_CHECKING:
    from local.status import ServiceStatus

console = Console()
_MARKS = {
    "healthy": "[green]● healthy",
    "starting": "[yellow]◐ starting",
    "unhealthy": "[red]▲ unhealthy",
    "failed": "[red]✗ failed",
    "stopped": "[dim]○ stopped",
}


def register(app: typer.Typer) -> None:
    """Add the commands of the local profile."""
    for command in (up, status, logs, restart, down):
        app.command()(command)


class _Lines:
    """Progress as lines and, on a terminal, a spinner that says what is still being waited for."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._doing: dict[str, str] = {}
        self._began = time.monotonic()
        self._status = console.status("checking the machine")

    def __enter__(self) -> Self:
        self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._status.stop()

    def step(self, service: str, doing: str) -> None:
        with self._lock:
            self._doing[service] = doing
            self._show()

    def ready(self, service: str, seconds: float) -> None:
        with self._lock:
            self._doing.pop(service, None)
            elapsed = time.monotonic() - self._began
            console.print(f"  [green]✓[/] {service:<24} ready in {seconds:5.1f} s   [dim]{elapsed:5.0f} s in all")
            self._show()

    def _show(self) -> None:
        busy = [f"{name}: {doing}" for name, doing in self._doing.items() if not doing.startswith("waiting")]
        self._status.update("  ".join(busy) or "waiting")


def up(
    *,
    traffic: Annotated[
        bool | None,
        typer.Option("--traffic/--no-traffic", help="Simulate light traffic, so that there is something to see."),
    ] = None,
    free_ports: Annotated[
        bool, typer.Option("--free-ports", help="At the first start, choose free ports instead of the usual ones.")
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="SERVICE",
            help="Start this service and what it needs; may be repeated.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Install what is missing and start the whole stack; harmless if it runs."""
    from local.settings import LocalSettings
    from local.start import start_stack

    overrides = {} if traffic is None else {"traffic": traffic}
    began = time.monotonic()
    console.print(f"[bold]Clickpulse[/] starts in {home_dir()}")
    with _Lines() as progress:
        start_stack(LocalSettings.load(**overrides), progress, choose_ports=free_ports, only=only or ())
    if not only:
        _print_addresses(time.monotonic() - began)


def _print_addresses(seconds: float) -> None:
    from local.services import all_services
    from local.settings import LocalSettings
    from local.stack import open_stack

    addresses = {service.name: service.address for service in all_services(open_stack(LocalSettings.load()))}
    table = Table(box=None, show_header=False, padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    creds = _shown(creds_dir())
    table.add_row("Dashboard", addresses["dashboard"], "the reports, minute by minute")
    table.add_row("Airflow", addresses["airflow-api"], f"user admin, password in {creds}/airflow.creds")
    table.add_row("Report API", f"{addresses['report-api']}/docs", f"tokens in {creds}/report_api.creds")
    table.add_row("ClickHouse", addresses["clickhouse"], f"passwords in {creds}/clickhouse.creds")
    table.add_row("S3", addresses["s3"], f"keys in {creds}/s3.creds")
    table.add_row("Kafka", addresses["kafka"], f"users in {creds}/kafka_*.creds")
    table.add_row("Schema Registry", addresses["registry"], "")
    console.print(
        f"\n[bold green]Everything runs[/] after {seconds:.0f} s. The first report follows the first full minute."
    )
    console.print(table)
    console.print("\nNext: `./clickpulse report`, `./clickpulse status`, `./clickpulse logs NAME`, `./clickpulse down`")


def _shown(folder: Path) -> str:
    """The folder as a person here would type it."""
    return str(folder.relative_to(Path.cwd())) if folder.is_relative_to(Path.cwd()) else str(folder)


def _status_table(services: list[ServiceStatus]) -> Table:
    table = Table("service", "health", "pid", "memory", "address", box=None, header_style="bold")
    for service in services:
        health = _MARKS[service.health] + (f"[/] {service.detail}" if service.detail else "")
        process = [str(service.pid), f"{service.memory_mb} MB"] if service.pid else ["", ""]
        table.add_row(service.name, health, *process, service.address)
    table.add_section()
    table.add_row("all", "", "", f"{sum(service.memory_mb for service in services)} MB")
    for column in table.columns:
        column.overflow = "fold"
    return table


def status(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show every service: health, process, memory, address, log. Exit status 1 unless all are healthy."""
    from local.settings import log_dir
    from local.status import stack_status

    services = stack_status()
    healthy = bool(services) and all(service.health == "healthy" for service in services)
    if as_json:
        memory = sum(service.memory_mb for service in services)
        document = {"home": str(home_dir()), "healthy": healthy, "memory_mb": memory}
        typer.echo(json.dumps(document | {"services": [asdict(service) for service in services]}, indent=2))
    elif not services:
        console.print(f"No stack was started in {home_dir()}: `./clickpulse up` starts one.")
    else:
        console.print(_status_table(services))
        console.print(f"logs: {_shown(log_dir())}/SERVICE.log")
    if not healthy:
        raise typer.Exit(1)


def logs(
    name: Annotated[str, typer.Argument(help="A service, as `status` names it.")],
    *,
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many of the last lines.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on printing what is added.")] = False,
) -> None:
    """Print the end of a service's log."""
    from clickpulse.errors import ClickpulseError
    from local.settings import log_dir
    from local.supervision import log_file

    if not log_file(name).is_file():
        known = ", ".join(sorted(file.stem for file in log_dir().glob("*.log"))) or "none yet"
        raise ClickpulseError(f"no log of {name!r} in {log_dir()}: there are {known}")
    command = ["tail", "-n", str(lines), *(["-F"] if follow else []), str(log_file(name))]
    sys.exit(subprocess.call(command))


def restart(name: Annotated[str, typer.Argument(help="A service, as `status` names it.")]) -> None:
    """Stop a service and start it again; returns when it is ready."""
    from local.settings import LocalSettings
    from local.start import start_stack
    from local.supervision import Supervisor

    supervisor = Supervisor()
    supervisor.require(name)
    supervisor.stop(name)
    with _Lines() as progress:
        start_stack(LocalSettings.load(), progress)


def down(
    *,
    wipe: Annotated[bool, typer.Option("--wipe", help="Delete the data and logs too (credentials stay).")] = False,
) -> None:
    """Stop everything; the data stays unless --wipe."""
    from local.stop import stop_stack

    with console.status("stopping"):
        count = stop_stack(wipe=wipe)
    console.print(f"Stopped {count} processes." if count else "Nothing was running.")
    if wipe:
        console.print(f"Deleted the data in {home_dir()}.")
