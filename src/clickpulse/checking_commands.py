"""`clickpulse test` and `clickpulse check`: they set up by themselves what they need."""

from __future__ import annotations

import subprocess
import sys
from enum import StrEnum
from typing import Annotated

import typer

from clickpulse.settings import PROJECT_ROOT

_CHECKS = (("ruff", "format", "--check", "."), ("ruff", "check", "."), ("mypy",))


class Suite(StrEnum):
    """Which tests; all but `unit` start a stack on free ports in a temporary folder."""

    all = "all"
    unit = "unit"
    integration = "integration"
    e2e = "e2e"


def register(app: typer.Typer) -> None:
    """Add the commands `test` and `check`."""
    app.command("test", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(run_tests)
    app.command("check")(run_checks)


def run_tests(
    context: typer.Context,
    suite: Annotated[Suite, typer.Argument(help="unit needs no service; the others start a stack of their own.")] = (
        Suite.all
    ),
) -> None:
    """Run the tests; more arguments go to pytest."""
    folders = ["tests"] if suite is Suite.all else [f"tests/{suite}"]
    command = [sys.executable, "-m", "pytest", *folders, *context.args]
    raise typer.Exit(subprocess.call(command, cwd=PROJECT_ROOT))


def run_checks() -> None:
    """Check format, lint and types."""
    for check in _CHECKS:
        typer.echo(" ".join(check))
        if status := subprocess.call([sys.executable, "-m", *check], cwd=PROJECT_ROOT):
            raise typer.Exit(status)
