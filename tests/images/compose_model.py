"""What docker-compose.yml says of its services, resolved by the real Compose, which needs no engine for that."""

from __future__ import annotations

import json
import shlex
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clickpulse.settings import PROJECT_ROOT


@dataclass(frozen=True)
class Build:
    """How an image is built; `arguments` are the Dockerfile's, `context` is a folder of the project."""

    image: str
    dockerfile: str
    target: str
    arguments: dict[str, str]
    context: str = "."

    @property
    def on_python(self) -> bool:
        """Whether no other image than Python's has to be pulled for it."""
        return {name for name in self.arguments if name.endswith("_IMAGE")} == {"PYTHON_IMAGE"}


class ComposeModel:
    """The resolved services of `files`, laid over each other."""

    def __init__(self, *files: str) -> None:
        compose = str(Path(sysconfig.get_path("scripts"), "docker-compose"))
        chosen = [f"--file={file}" for file in files]
        command = [compose, *chosen, "--profile", "*", "config", "--format=json"]
        done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
        document = json.loads(done.stdout)
        self.services: dict[str, dict[str, Any]] = document["services"]
        self._secrets: dict[str, dict[str, Any]] = document["secrets"]

    def builds(self) -> dict[str, Build]:
        """How each image is built, by its name without registry and tag."""
        found = {}
        for service, described in self.services.items():
            if build := described.get("build"):
                tag = described["image"].rsplit("/", maxsplit=1)[-1].partition(":")[2] or "latest"
                found[self.image(service)] = Build(
                    f"localhost/clickpulse/{self.image(service)}:{tag}",
                    build["dockerfile"],
                    build["target"],
                    dict(build.get("args", {})),
                )
        return found

    def image(self, service: str) -> str:
        """The name of a service's image, without registry and tag."""
        image: str = self.services[service]["image"]
        return image.rsplit("/", maxsplit=1)[-1].split(":", maxsplit=1)[0]

    def needed_for(self, service: str) -> list[str]:
        """What the service has to wait for, directly or not, each after what it waits for itself."""
        order: list[str] = []
        awaited = self.services[service].get("depends_on") or {}
        for name in (name for name, dependency in awaited.items() if dependency["required"]):
            order += [one for one in (*self.needed_for(name), name) if one not in order]
        return order

    def secret_files(self, service: str) -> dict[str, Path]:
        """Path in the container -> path below the credentials' folder."""
        found = {}
        for secret in self.services[service].get("secrets", []):
            target = Path("/run/secrets", secret["target"])
            file = Path(self._secrets[secret["source"]]["file"])
            found[str(target)] = file.relative_to(PROJECT_ROOT / "env")
        return found

    def health_check(self, service: str) -> list[str]:
        """The health check's command."""
        kind, *command = self.services[service]["healthcheck"]["test"]
        if kind != "CMD":
            raise ValueError(f"the health check of {service} is {kind} {shlex.join(command)}, not a plain command")
        return list(command)
