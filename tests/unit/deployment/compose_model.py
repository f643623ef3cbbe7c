"""The Compose model as the real `docker-compose` resolves it, which needs no engine; and questions to it."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from clickpulse.settings import PROJECT_ROOT

Model = dict[str, Any]
Service = dict[str, Any]

COMPOSE = Path(sysconfig.get_path("scripts"), "docker-compose")
CLUSTER = ("--env-file", ".env", "--env-file", "env/cluster.env")
TLS = ("-f", "docker-compose.yml", "-f", "docker-compose.tls.yml")
SINK = ("-f", "docker-compose.yml", "-f", "docker-compose.embedded-sink.yml")

SUBMIT = ("-f", "docker-compose.yml", "-f", "docker-compose.submit.yml")

VARIANTS: dict[str, tuple[str, ...]] = {
    "default": (),
    "every-profile": ("--profile", "*"),
    "ui": ("--profile", "ui"),
    "monitoring": ("--profile", "monitoring"),
    "setup": ("--profile", "setup"),
    "cluster": (*CLUSTER, "--profile", "cluster"),
    "tls": (*TLS, "--profile", "*"),
    "embedded-sink": (*SINK, "--profile", "*"),
    "submit": (*SUBMIT, "--profile", "*"),
    "everything": (*CLUSTER, *TLS, *SINK[2:], "--profile", "*"),
    "everything-submitted": (*CLUSTER, *TLS, *SINK[2:], *SUBMIT[2:], "--profile", "*"),
}
"""The ways in which docs/deployment.md starts it."""


@cache
def run_compose(*options: str) -> subprocess.CompletedProcess[str]:
    """Run `docker-compose`; with no variable of this process, as what the model needs is in the files."""
    command = [str(COMPOSE), *options]
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
    return subprocess.run(
        command, cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def load_model(options: Sequence[str]) -> Model:
    done = run_compose(*options, "config", "--format", "json")
    assert done.returncode == 0, done.stderr
    model: Model = json.loads(done.stdout)
    return model


def one_shots(services: dict[str, Service]) -> set[str]:
    """Services that end: others wait for their completion, or a person runs them."""
    awaited = {
        name
        for service in services.values()
        for name, dependency in service.get("depends_on", {}).items()
        if dependency["condition"] == "service_completed_successfully"
    }
    return awaited | {name for name, service in services.items() if "setup" in service.get("profiles", ())}


def environment(service: Service) -> dict[str, str]:
    return {name: value or "" for name, value in (service.get("environment") or {}).items()}


def words(service: Service) -> list[str]:
    """Its command, its entry point and its health check."""
    check = (service.get("healthcheck") or {}).get("test") or []
    return [*(service.get("entrypoint") or []), *(service.get("command") or []), *check]


def listening_ports(service: Service) -> set[int]:
    """What it says to listen on, for others in its networks or for the machine."""
    published = {int(port["target"]) for port in service.get("ports", ())}
    return published | {int(port) for port in service.get("expose", ())}


def neighbours(services: dict[str, Service], name: str) -> set[str]:
    """The services that it can reach: those with a network in common."""
    mine = set(services[name].get("networks") or ())
    return {other for other, service in services.items() if other != name and mine & set(service.get("networks") or ())}


def built_images(services: dict[str, Service]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Image and build section of every service that is built here."""
    for service in services.values():
        if "build" in service:
            yield service["image"], service["build"]
