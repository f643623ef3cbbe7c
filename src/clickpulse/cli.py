"""The `clickpulse` command. Each folder adds its own commands in a `commands.py`; imports inside them stay lazy."""

from __future__ import annotations

import sys

import typer

from clickpulse.errors import ClickpulseError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Minutely analytics of user interactions: every event accounted for.",
)


def main() -> None:
    """Run the command line; an expected error ends with one clear message and status 1."""
    _register()
    try:
        app()
    except ClickpulseError as error:
        typer.secho(f"error: {error}", fg=typer.colors.RED, err=True)
        sys.exit(1)


def _register() -> None:
    from bench import commands as bench_commands
    from clickpulse import backfill_commands, checking_commands, report_commands, secrets_commands
    from clickpulse.accounting import commands as accounting_commands
    from clickpulse.dlq import commands as dlq_commands
    from clickpulse.doctor import commands as doctor_commands
    from connect import commands as connect_commands
    from local import commands as local_commands
    from producer import commands as producer_commands

    for commands in (
        local_commands, producer_commands, report_commands, accounting_commands, backfill_commands, connect_commands,
        dlq_commands, secrets_commands, checking_commands, doctor_commands, bench_commands,
    ):  # fmt: skip
        commands.register(app)
