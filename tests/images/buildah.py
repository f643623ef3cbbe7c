"""Buildah, as root and without an engine: images are built and run in a plain chroot.

A chroot gives no network, memory limit or read-only root of its own; who runs several containers puts them into one
network namespace (see __main__.py).
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

_LOCAL = "localhost/"
BASE = "localhost/clickpulse-base"
_POLL_SECONDS = 0.5
_RUN_SECONDS = 180
_RUN = ("buildah", "run", "--isolation", "chroot")


def output(*command: str | Path) -> str:
    """The command's standard output; an error has all it said."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def make_base(root_files: Path, certificates: Path | None) -> None:
    """Make an image from a Debian's files that have Python 3.11 and pip, in the place of python:3.11-slim.

    Args:
        root_files: a tar archive, such as of a folder that debootstrap filled.
        certificates: trusted besides by builds, where a proxy signs with a CA of its own.
    """
    container = output("buildah", "from", "scratch")
    try:
        output("buildah", "add", "--quiet", container, root_files, "/")
        root = Path(output("buildah", "mount", container))
        (root / "usr/bin/python").unlink(missing_ok=True)
        (root / "usr/bin/python").symlink_to("python3")
        for marker in root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
            marker.unlink()
        variables = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        if certificates is not None:
            bundle = "/etc/ssl/certs/ca-certificates.crt"
            (root / bundle[1:]).write_bytes(certificates.read_bytes())
            variables |= {"SSL_CERT_FILE": bundle, "PIP_CERT": bundle}
        output("buildah", "umount", container)
        options = [f"--env={name}={value}" for name, value in variables.items()]
        output("buildah", "config", *options, container)
        output("buildah", "commit", "--quiet", container, BASE)
    finally:
        output("buildah", "rm", container)


def build(image: str, context: Path, dockerfile: str, target: str, arguments: Mapping[str, str], log: Path) -> float:
    """Build an image on the local base; returns its size in MB of 10^6 bytes, of which the base is a part."""
    options = [f"--build-arg={name}={value}" for name, value in {**arguments, "PYTHON_IMAGE": BASE}.items()]
    command = ["buildah", "bud", "--isolation=chroot", "--format=docker"]
    command += [f"--target={target}", f"--file={dockerfile}", *options, f"--tag={image}", str(context)]
    with log.open("w") as stream:
        done = subprocess.run(command, stdout=stream, stderr=stream, check=False)
    if done.returncode:
        raise RuntimeError(f"{image} was not built; the end of what Buildah said:\n{log.read_text()[-3000:]}")
    return size(image)


def load(image: str) -> None:
    """Give an image to the Docker engine, by the name that Compose knows it by, and keep it no longer here."""
    with TemporaryDirectory(prefix="clickpulse-image-") as folder:
        archive = Path(folder, "image.tar")
        output("buildah", "push", "--quiet", image, f"docker-archive:{archive}:docker.io/{image.removeprefix(_LOCAL)}")
        output("docker", "load", "--quiet", "--input", archive)
    output("buildah", "rmi", "--force", image)


def size(image: str) -> float:
    """An image's size in MB of 10^6 bytes."""
    listed = json.loads(output("buildah", "images", "--json"))
    sizes = {name: found["size"] for found in listed for name in found["names"] or ()}
    number, unit = sizes[image].split()
    return float(number) * {"KB": 1e-3, "MB": 1, "GB": 1e3}[unit]


class Container:
    """An image's files, in which commands run as the image's user until `remove`."""

    def __init__(self, image: str, *, hosts: Sequence[str] = ()) -> None:
        self._image = image
        self._name = output("buildah", "from", *(f"--add-host={host}:127.0.0.1" for host in hosts), image)
        self._main: subprocess.Popen[bytes] | None = None

    def entry_point(self) -> list[str]:
        """The image's entry point."""
        described = json.loads(output("buildah", "inspect", "--type=image", self._image))
        return list(described["Docker"]["config"].get("Entrypoint") or [])

    def run(self, command: Sequence[str], *options: str, seconds: float = _RUN_SECONDS) -> tuple[int, str]:
        """Status and output of a command."""
        done = subprocess.run(
            [*_RUN, *options, self._name, "--", *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=seconds,
        )
        noise = ("subprocess exited with status", "Error: exit status", "error: exit status")
        return done.returncode, "\n".join(line for line in done.stdout.splitlines() if not line.startswith(noise))

    def start(self, command: Sequence[str], log: Path, *options: str) -> None:
        """Start the container's main process."""
        with log.open("w") as stream:
            self._main = subprocess.Popen([*_RUN, *options, self._name, "--", *command], stdout=stream, stderr=stream)

    def wait_until_healthy(self, check: Sequence[str], seconds: float, *options: str) -> float:
        """Run the health check until it succeeds; returns the seconds it took."""
        began = time.monotonic()
        while self.run(check, *options)[0] != 0:
            if self._main is None or self._main.poll() is not None:
                raise RuntimeError(f"{self._image} ended before it was healthy")
            if time.monotonic() - began > seconds:
                raise RuntimeError(f"{self._image} was not healthy after {seconds} s")
            time.sleep(_POLL_SECONDS)
        return time.monotonic() - began

    def remove(self) -> None:
        """End the main process with SIGTERM and delete the container."""
        if self._main is not None and self._main.poll() is None:
            family = psutil.Process(self._main.pid).children(recursive=True)
            for process in family:
                if not process.name().startswith("buildah"):
                    process.terminate()
            _, left = psutil.wait_procs(family, timeout=30)
            for process in left:
                process.kill()
            self._main.wait(30)
        output("buildah", "rm", self._name)
