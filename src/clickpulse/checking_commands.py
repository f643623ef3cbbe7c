"""`clickpulse test` and `clickpulse check`: they set up by themselves what they need."""

from __future__ import annotations

import os
import subprocess
import sys
from enum import StrEnum
from typing import Annotated

import typer

from clickpulse.service_tests import STARTS_VARIABLE, selection_of
from clickpulse.settings import PROJECT_ROOT

_CHECKS = (("ruff", "format", "--check", "."), ("ruff", "check", "."), ("mypy",))


class Suite(StrEnum):
    """Which tests; all but `unit` start a stack of their own. `faults` and `docker` are not in `all`."""

    all = "all"
    unit = "unit"
    integration = "integration"
    e2e = "e2e"
    faults = "faults"
    docker = "docker"


def register(app: typer.Typer) -> None:
    """Add the commands `test` and `check`."""
    app.command("test", context_settings={"ignore_unknown_options": True})(run_tests)
    app.command("check")(run_checks)


def run_tests(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[all|unit|integration|e2e|faults|docker] [PYTEST ARGUMENTS]",
            help="unit needs no service; the others start a stack of their own. faults breaks every part of it and "
            "takes hours, docker starts docker-compose.yml and needs a Docker engine; neither is in all. The rest goes "
            "to pytest as it is.",
            show_default=False,
        ),
    ] = None,
    *,
    service: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="The tests of one service, on a stack with only what it needs (tests/services.toml)."
        ),
    ] = None,
) -> None:
    """Run the tests: all of them, one suite, one service's, or what pytest's own arguments name."""
    environment = dict(os.environ)
    if service is None:
        selection = pytest_arguments(arguments or [])
    else:
        chosen = selection_of(service)
        environment[STARTS_VARIABLE] = ",".join(chosen.starts)
        selection = [*chosen.pytest_arguments, *(arguments or [])]
    command = [sys.executable, "-m", "pytest", *selection]
    raise typer.Exit(subprocess.call(command, cwd=PROJECT_ROOT, env=environment))


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
