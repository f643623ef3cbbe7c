"""`status`: each service's state, health, process, memory, address and log."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from clickpulse.settings import stack_env_file
from local.processes import memory_bytes
from local.services import Service, all_services
from local.settings import LocalSettings
from local.stack import open_stack
from local.supervision import RUNNING, Supervisor, log_file

Health = Literal["healthy", "unhealthy", "starting", "stopped", "failed"]


@dataclass(frozen=True)
class ServiceStatus:
    """A service just now; `memory_mb` is the proportional set size with all children, in MiB."""

    name: str
    title: str
    health: Health
    detail: str
    pid: int | None
    memory_mb: int
    uptime_seconds: int
    address: str
    log_file: str


def stack_status() -> list[ServiceStatus]:
    """All services of this home's stack; empty when none was ever started here."""
    if not stack_env_file().is_file():
        return []
    services = all_services(open_stack(LocalSettings.load()))
    processes = Supervisor().processes()
    with ThreadPoolExecutor(len(services)) as pool:
        return list(pool.map(lambda service: _status(service, processes.get(service.name, {})), services))


def _status(service: Service, info: dict[str, object]) -> ServiceStatus:
    state = str(info.get("statename", "STOPPED"))
    pid = int(str(info.get("pid") or 0)) or None
    problem = service.probe() if state == RUNNING else None
    return ServiceStatus(
        name=service.name,
        title=service.title,
        health=_health(state, problem),
        detail=problem or "",
        pid=pid,
        memory_mb=memory_bytes(pid) // 1024**2 if pid else 0,
        uptime_seconds=int(str(info.get("now", 0))) - int(str(info.get("start", 0))) if pid else 0,
        address=service.address,
        log_file=str(log_file(service.name)),
    )


def _health(state: str, problem: str | None) -> Health:
    if state == RUNNING:
        return "unhealthy" if problem else "healthy"
    return {"STARTING": "starting", "BACKOFF": "failed", "FATAL": "failed", "EXITED": "failed"}.get(state, "stopped")  # type: ignore[return-value]
