"""supervisord, the process supervisor, and how to speak to it."""

from __future__ import annotations

import getpass
import hashlib
import os
import shlex
import sys
import tempfile
import xmlrpc.client
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xmlrpc.client import ServerProxy

from clickpulse.credentials import write_private
from clickpulse.errors import ClickpulseError
from clickpulse.settings import PROJECT_ROOT, home_dir
from local.services.base import Service
from local.settings import log_dir, run_dir

STACK_VARIABLE = "CLICKPULSE_STACK"
"""In the environment of every process of a stack: its home folder."""

_LONGEST_SOCKET_PATH = 90
RUNNING, STARTING, BACKOFF = "RUNNING", "STARTING", "BACKOFF"


def socket_path() -> Path:
    """Supervisord's socket; in the temporary folder where the home's path is too long for one."""
    path = run_dir() / "supervisor.sock"
    if len(str(path)) <= _LONGEST_SOCKET_PATH:
        return path
    name = hashlib.sha256(str(home_dir()).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir(), f"clickpulse-{name}.sock")


def log_file(service: str) -> Path:
    return log_dir() / f"{service}.log"


def configuration(services: Sequence[Service]) -> str:
    """Supervisord's configuration: nothing starts by itself, everything is started again when it dies."""
    sections = [
        f"[unix_http_server]\nfile={_escape(socket_path())}\nchmod=0600",
        f"[supervisord]\nlogfile={_escape(log_dir() / 'supervisord.log')}\nlogfile_maxbytes=5MB\nlogfile_backups=1\n"
        f"pidfile={_escape(run_dir() / 'supervisord.pid')}\nchildlogdir={_escape(log_dir())}\numask=077\n"
        f"directory={_escape(PROJECT_ROOT)}\nminfds=1024"
        + (f"\nuser={getpass.getuser()}" if os.geteuid() == 0 else ""),
        "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
    ]
    sections += [_program(service, priority) for priority, service in enumerate(services, start=1)]
    return "\n\n".join(sections) + "\n"


def _program(service: Service, priority: int) -> str:
    environment = ",".join(f"{name}={_quote(value)}" for name, value in sorted(service.environment.items()))
    lines = {
        "command": _escape(shlex.join(service.command)),
        "environment": _escape(environment),
        "autostart": "false",
        "autorestart": "true",
        "startsecs": 1,
        "startretries": 30,
        "stopwaitsecs": service.stop_seconds,
        "stopasgroup": "false",
        "killasgroup": "true",
        "priority": priority,
        "redirect_stderr": "true",
        "stdout_logfile": _escape(log_file(service.name)),
        "stdout_logfile_maxbytes": "20MB",
        "stdout_logfile_backups": 2,
    }
    return f"[program:{service.name}]\n" + "\n".join(f"{name}={value}" for name, value in lines.items())


def _quote(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _escape(value: object) -> str:
    return str(value).replace("%", "%%")


def write_configuration(services: Sequence[Service]) -> Path:
    file = run_dir() / "supervisord.conf"
    write_private(file, configuration(services))
    return file


def daemon_command(file: Path) -> list[str]:
    return [sys.executable, "-m", "supervisor.supervisord", "-c", str(file)]


def daemon_environment(shared: Mapping[str, str]) -> dict[str, str]:
    return {**shared, STACK_VARIABLE: str(home_dir())}


class Supervisor:
    """The stack's supervisord; each call is one request on a fresh connection to its socket."""

    @property
    def _calls(self) -> Any:
        from supervisor.xmlrpc import SupervisorTransport

        transport = SupervisorTransport("", "", serverurl=f"unix://{socket_path()}")
        return ServerProxy("http://127.0.0.1", transport=transport).supervisor

    def alive(self) -> bool:
        """Whether supervisord answers."""
        try:
            return bool(self._calls.getState()["statename"] == RUNNING)
        except (OSError, xmlrpc.client.Error):
            return False

    def pid(self) -> int:
        """Supervisord's own process."""
        return int(self._calls.getPID())

    def processes(self) -> dict[str, dict[str, Any]]:
        """Supervisord's `getAllProcessInfo` by service name; empty when it does not run."""
        if not self.alive():
            return {}
        return {info["name"]: info for info in self._calls.getAllProcessInfo()}

    def reload(self) -> None:
        """Take over a changed configuration; services whose part did not change go on undisturbed."""
        added, changed, removed = self._calls.reloadConfig()[0]
        for name in [*changed, *removed]:
            self._calls.stopProcessGroup(name)
            self._calls.removeProcessGroup(name)
        for name in [*added, *changed]:
            self._calls.addProcessGroup(name)

    def start(self, service: str) -> None:
        """Start `service` without waiting; nothing happens if it runs."""
        info = self._calls.getProcessInfo(service)
        if info["statename"] not in (RUNNING, STARTING, BACKOFF):
            self._calls.startProcess(service, False)

    def stop(self, service: str) -> None:
        """Stop `service` and wait until it has ended."""
        if self._calls.getProcessInfo(service)["statename"] in (RUNNING, STARTING, BACKOFF):
            self._calls.stopProcess(service, True)

    def shutdown(self) -> None:
        """Stop every service in the reverse order of the start, then supervisord."""
        self._calls.shutdown()

    def require(self, service: str) -> None:
        """Raise a clear error if there is no such service in the running stack."""
        known = self.processes()
        if not known:
            raise ClickpulseError(f"no stack runs in {home_dir()}: start it with `./clickpulse up`")
        if service not in known:
            raise ClickpulseError(f"no service {service!r}: there are {', '.join(sorted(known))}")
