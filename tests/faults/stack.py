"""The stack that faults are brought into: planted secrets, proxies before three services, small disks under three.

It is the ordinary stack, started by `clickpulse up`. Proxies come in by the settings' addresses: the environment of
`up`, which every service inherits, names them, and wins over the addresses in `stack.env`. Small disks are file systems
in memory, mounted before the start, which only root may do.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from clickpulse.settings import PROJECT_ROOT
from local.preflight import free_ports
from local.settings import HOST, LocalSettings
from local.supervision import Supervisor
from tests.faults import canary
from tests.faults.proxy import FaultProxy
from tests.support import run_clickpulse

START_SECONDS = 900
DISK_MB = 1536
"""Of each small disk: far more than the traffic needs; a ballast file fills the rest."""

PROXIED = {"clickhouse": "clickhouse_port", "s3": "s3_port", "report-api": "report_api_port"}
"""What a proxy stands in front of -> the setting with the service's own port."""

SMALL_DISKS = ("kafka", "clickhouse", "s3")
"""Services whose data folder, `data/<name>`, gets a file system of its own."""

_PORTS_FILE = "faults.json"


@contextmanager
def proxies_of(home: Path) -> Iterator[dict[str, FaultProxy]]:
    """The proxies that the stack in `home` was started with, at the same ports; none if it was started without."""
    file = home / _PORTS_FILE
    ports: dict[str, int] = json.loads(file.read_text()) if file.is_file() else {}
    settings = LocalSettings.load()
    with ExitStack() as open_proxies:
        yield {
            name: open_proxies.enter_context(FaultProxy(getattr(settings, PROXIED[name]), port))
            for name, port in ports.items()
        }


def start(home: Path) -> None:
    """Start the stack in `home`, as the settings' own home; the proxies' ports are kept for whoever comes back.

    The proxies have to be there from the first moment on, so they run in this process until the start is over.
    """
    canary.plant(home / "creds")
    ports = _ports(home)
    mount_small_disks(home)
    environment = {**os.environ, **_addresses(home, ports)}
    with _with_environment(ports), proxies_of(home):
        command = [sys.executable, "-m", "clickpulse", "up", "--no-traffic"]
        done = subprocess.run(
            command,
            cwd=PROJECT_ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )
    assert done.returncode == 0, f"the stack did not start: {done.stdout}\n{done.stderr}"


def wipe(home: Path) -> None:
    """Stop the stack of `home` and leave nothing of it but the logs of the tests."""
    run_clickpulse("down", timeout=240)
    unmount_small_disks(home)
    run_clickpulse("down", "--wipe", timeout=60)


def runs() -> bool:
    """Whether the settings' stack is up."""
    return Supervisor().alive()


def mount_small_disks(home: Path) -> None:
    """Give three data folders a file system of their own, in memory; without the right to mount, nothing."""
    if os.geteuid() != 0:
        return
    for name in SMALL_DISKS:
        folder = home / "data" / name
        folder.mkdir(parents=True, exist_ok=True)
        if not folder.is_mount():
            _run("mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=700", "clickpulse-faults", str(folder))


def unmount_small_disks(home: Path) -> None:
    for folder in small_disks(home).values():
        _run("umount", str(folder))


def small_disks(home: Path) -> dict[str, Path]:
    """The data folders that are small file systems."""
    folders = {name: home / "data" / name for name in SMALL_DISKS}
    return {name: folder for name, folder in folders.items() if folder.is_mount()}


def _ports(home: Path) -> dict[str, str]:
    """Every service's port, as variables; chosen at the first start, when the proxies' ports are kept as well."""
    file = home / _PORTS_FILE
    if file.is_file():  # the services' own are in the stack's file
        return {}
    ours, others = free_ports(), free_ports()
    free = (port for port in others.values() if port not in ours.values())
    home.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({name: next(free) for name in PROXIED}))
    return {f"LOCAL_{name.upper()}": str(port) for name, port in ours.items()}


def _addresses(home: Path, ports: Mapping[str, str]) -> dict[str, str]:
    scheme = LocalSettings.load().scheme
    proxied = {name: f"{scheme}://{HOST}:{port}" for name, port in json.loads((home / _PORTS_FILE).read_text()).items()}
    return {
        **ports,
        "CLICKHOUSE_URL": proxied["clickhouse"],
        "S3_ENDPOINT": proxied["s3"],
        "REPORT_API_URL": proxied["report-api"],
    }


@contextmanager
def _with_environment(variables: Mapping[str, str]) -> Iterator[None]:
    """For settings that are read in this process before `stack.env` has them."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr.strip()}"
