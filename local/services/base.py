"""What the local profile knows of a service."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clickpulse.errors import ClickpulseError
from clickpulse.settings import PROJECT_ROOT
from local.probes import Probe
from local.settings import LocalSettings


@dataclass(frozen=True)
class Stack:
    """The stack to run: its settings, and the environment that its services share."""

    local: LocalSettings
    environment: Mapping[str, str]
    postgres_url: str


@dataclass(frozen=True)
class Service:
    """One long-running process.

    `install` brings what the machine lacks, `configure` writes files before each start, `prepare` runs once the
    service is ready and before those that need it start (topics, schema, migrations…). All three are idempotent.
    """

    name: str
    title: str
    command: Sequence[str]
    probe: Probe
    needs: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    address: str = ""
    install: Callable[[], object] | None = None
    configure: Callable[[], object] | None = None
    prepare: Callable[[], object] | None = None
    start_seconds: float = 240
    stop_seconds: int = 15


def python_module(module: str, *arguments: str) -> list[str]:
    """The command that runs a module with this interpreter."""
    return [sys.executable, "-m", module, *arguments]


def run_step(command: Sequence[str], environment: Mapping[str, str], log_file: Path) -> None:
    """Run a set-up step to its end; its output goes to `log_file`, whose end an error shows."""
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("w") as log:
        done = subprocess.run(
            command, env=dict(environment), cwd=PROJECT_ROOT, stdout=log, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode:
        end = "\n".join(log_file.read_text().splitlines()[-8:])
        raise ClickpulseError(
            f"{' '.join(command[1:4])} failed with status {done.returncode}:\n{end}\nall of it: {log_file}"
        )
