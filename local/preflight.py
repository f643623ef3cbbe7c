"""What has to be true before anything is started, checked at once, so that nothing ends half started."""

from __future__ import annotations

import os
import random
import shutil
import socket
from collections.abc import Iterable

from clickpulse.errors import ConfigurationError
from clickpulse.settings import home_dir
from local.settings import HOST, PORT_FIELDS, LocalSettings, cache_dir

_MB = 1024**2


def check(settings: LocalSettings) -> None:
    """Raise `ConfigurationError` with every problem and its remedy."""
    problems = [*_taken_ports(settings), *_memory(settings), *_disk(settings), *_tools()]
    if problems:
        raise ConfigurationError("the stack can't start here; nothing was started:\n  - " + "\n  - ".join(problems))


def _taken_ports(settings: LocalSettings) -> Iterable[str]:
    for name, service in PORT_FIELDS.items():
        port = getattr(settings, name)
        if not _is_free(port) and not (service == "connect" and settings.sink != "connect"):
            yield (
                f"port {port} ({service}) is taken{_owner(port)}: stop that, set LOCAL_{name.upper()} to another, "
                "or let `up --free-ports` choose"
            )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _owner(port: int) -> str:
    import psutil

    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:  # other users' sockets, on some systems
        return ""
    pids = {c.pid for c in connections if c.status == psutil.CONN_LISTEN and c.laddr and c.laddr.port == port and c.pid}
    return "".join(f" by process {pid} ({psutil.Process(pid).name()})" for pid in pids if psutil.pid_exists(pid))


def _memory(settings: LocalSettings) -> Iterable[str]:
    import psutil

    available = psutil.virtual_memory().available // _MB
    if available < settings.min_memory_mb:
        yield f"{available} MB of memory are available, {settings.min_memory_mb} MB are needed: close something"


def _disk(settings: LocalSettings) -> Iterable[str]:
    for folder in (home_dir(), cache_dir()):
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        free = shutil.disk_usage(existing).free // _MB
        if free < settings.min_disk_mb:
            yield f"{free} MB are free for {folder}, {settings.min_disk_mb} MB are needed: make room or choose another"


def _tools() -> Iterable[str]:
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        yield "Postgres does not run as root and `setpriv` (package util-linux) is not here: start as another user"


def free_ports() -> dict[str, int]:
    """A free port for each port setting, by its name: below the range that outgoing connections take theirs from."""
    candidates = list(range(20_000, 32_000))
    random.SystemRandom().shuffle(candidates)
    free = (port for port in candidates if _is_free(port))
    return {name: next(free) for name in PORT_FIELDS}
