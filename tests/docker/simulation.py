"""Simulated traffic from a container of the producer's image."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from tests.docker.deployment import COMPOSE, Deployment, command

RATE = 100
"""Events a second, exactly."""

DURATION_SECONDS = 45


@dataclass(frozen=True)
class Simulation:
    """A run of it."""

    name: str
    process: subprocess.Popen[str]

    def summary(self) -> dict[str, Any]:
        """What it tells at its end."""
        said, _ = self.process.communicate(timeout=DURATION_SECONDS + 120)
        assert self.process.returncode == 0, said
        return last_json(said)


@contextmanager
def simulation(deployment: Deployment) -> Iterator[Simulation]:
    name = f"simulation-{uuid4().hex[:8]}"
    words = [
        COMPOSE,
        "run",
        "--rm",
        "--no-TTY",
        "--no-deps",
        "--name",
        name,
        "producer",
        "simulate",
        "--flat",
        "--json",
    ]
    words += ["--quiet", f"--rate={RATE}", f"--duration={DURATION_SECONDS}", "--summary=/tmp/producer.json"]
    process = subprocess.Popen(
        words,
        cwd=deployment.folder,
        env=deployment.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield Simulation(name, process)
    finally:
        process.kill()
        command("docker", "rm", "--force", name, cwd=deployment.folder)


def sent_so_far(deployment: Deployment, simulated: Simulation) -> int:
    done = command("docker", "exec", simulated.name, "cat", "/tmp/producer.json", cwd=deployment.folder)
    return int(last_json(done.said)["acknowledged"]) if done.status == 0 else 0


def last_json(said: str) -> dict[str, Any]:
    """The JSON object among other lines."""
    found: dict[str, Any] = json.loads(said[said.index("{") : said.rindex("}") + 1])
    return found
