"""The distributed profile as Docker runs it: a copy of the project, and the containers that Compose makes of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from clickpulse.settings import PROJECT_ROOT

COMPOSE = str(Path(sysconfig.get_path("scripts"), "docker-compose"))
USER = 1000
"""Who owns the copy where the tests run as root, as no container runs as root."""

STAND_INS = "tests/compose/stand_ins/docker-compose.yml"
STAND_INS_TLS = "tests/compose/stand_ins/docker-compose.tls.yml"
STAND_IN_IMAGES = {
    "POSTGRES_IMAGE": "clickpulse/stand-in-postgres:latest",
    "REDIS_IMAGE": "clickpulse/stand-in-redis:latest",
}


@dataclass(frozen=True)
class Done:
    """A command's exit status and what it said on both streams."""

    status: int
    said: str


@dataclass(frozen=True)
class Container:
    """What the engine knows of a container."""

    details: dict[str, Any]

    @property
    def service(self) -> str:
        return str(self.details["Config"]["Labels"]["com.docker.compose.service"])

    @property
    def id(self) -> str:
        return str(self.details["Id"])

    @property
    def state(self) -> str:
        """`healthy`, `exited 0` and the like, as `docker compose ps` says."""
        found = self.details["State"]
        if found["Status"] == "exited":
            return f"exited {found['ExitCode']}"
        return str(found.get("Health", {}).get("Status", found["Status"]))


def command(*words: str, cwd: Path, environment: Mapping[str, str] = os.environ, seconds: float = 120) -> Done:
    """Run a command to its end."""
    done = subprocess.run(
        words,
        cwd=cwd,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=seconds,
    )
    return Done(done.returncode, done.stdout)


def copy_project(folder: Path) -> None:
    """What a clone of the checkout as it is now would have: no secret, nothing that git ignores."""
    listed = command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=PROJECT_ROOT)
    assert listed.status == 0, listed.said
    for name in filter(None, listed.said.split("\0")):
        if (source := PROJECT_ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder / name)


def give_to(folder: Path, user: int) -> None:
    """Make `user` the owner of all that is in the folder."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user, user)


class Deployment:
    """Containers of one Compose project.

    Args:
        folder: of the project's copy.
        files: for Compose, laid over each other.
        variables: what an operator has in `compose.override.env`.
    """

    def __init__(self, folder: Path, files: Sequence[str], variables: Mapping[str, str]) -> None:
        self.folder = folder
        self.variables = {"COMPOSE_FILE": ":".join(files), **variables}
        self.environment = {**os.environ, "COMPOSE_ENV_FILES": ".env,compose.override.env"}

    def write_variables(self, **changed: str) -> None:
        """Write `compose.override.env`, which Compose reads after `.env`."""
        self.variables |= changed
        text = "".join(f"{name}={value}\n" for name, value in self.variables.items())
        (self.folder / "compose.override.env").write_text(text)

    def compose(self, *arguments: str, seconds: float = 120) -> str:
        """Run `docker compose`; returns what it says, fails with all of it otherwise."""
        done = self.try_compose(*arguments, seconds=seconds)
        assert done.status == 0, f"docker compose {' '.join(arguments)}: status {done.status}\n{done.said}"
        return done.said

    def try_compose(self, *arguments: str, seconds: float = 120) -> Done:
        """Run `docker compose`, which may fail."""
        return command(COMPOSE, *arguments, cwd=self.folder, environment=self.environment, seconds=seconds)

    def containers(self) -> list[Container]:
        """All there are of the project, also those that have ended."""
        ids = self.compose("ps", "--all", "--quiet").split()
        done = command("docker", "inspect", *ids, cwd=self.folder)
        assert done.status == 0, done.said
        return [Container(details) for details in json.loads(done.said)]

    def states(self) -> dict[str, set[str]]:
        """The states of each service's containers."""
        found: dict[str, set[str]] = {}
        for container in self.containers():
            found.setdefault(container.service, set()).add(container.state)
        return found

    def run_in(self, service: str, *words: str) -> Done:
        """Run a command in the service's container."""
        return self.try_compose("exec", "--no-TTY", service, *words)

    def model(self) -> dict[str, Any]:
        """What Compose resolves."""
        model: dict[str, Any] = json.loads(self.compose("config", "--format=json"))
        return model

    def secret(self, file: str, name: str) -> str:
        """A secret of `env/<file>.creds`."""
        value = dotenv_values(self.folder / "env" / f"{file}.creds")[name]
        assert value, f"{file}.creds has no {name}"
        return value

    def secrets(self) -> set[str]:
        """Every generated password, token and key."""
        public = ("USER", "USERNAME", "ID", "USERS")
        return {
            value
            for file in (self.folder / "env").glob("*.creds")
            for name, value in dotenv_values(file).items()
            if value and not name.endswith(public)
        }
