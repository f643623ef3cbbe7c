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
    app.command("test", context_settings={"ignore_unknown_options": True})(run_tests)
    app.command("check")(run_checks)


def run_tests(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[all|unit|integration|e2e] [PYTEST ARGUMENTS]",
            help="unit needs no service; the others start a stack of their own. The rest goes to pytest as it is.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Run the tests: all of them, one suite, or what pytest's own arguments name."""
    command = [sys.executable, "-m", "pytest", *pytest_arguments(arguments or [])]
    raise typer.Exit(subprocess.call(command, cwd=PROJECT_ROOT))


def pytest_arguments(arguments: list[str]) -> list[str]:
    """Return pytest's arguments: a suite's name first becomes its folder, no name means every suite.

    >>> pytest_arguments(["unit", "-x"])
    ['tests/unit', '-x']
    >>> pytest_arguments(["--color=no"])
    ['tests', '--color=no']
    """
    if not arguments or arguments[0].startswith("-"):
        return ["tests", *arguments]
    first, *rest = arguments
    if first == Suite.all:
        return ["tests", *rest]
    return [f"tests/{first}" if first in set(Suite) else first, *rest]


def run_checks() -> None:
    """Check format, lint and types."""
    for check in _CHECKS:
        typer.echo(" ".join(check))
        if status := subprocess.call([sys.executable, "-m", *check], cwd=PROJECT_ROOT):
            raise typer.Exit(status)
