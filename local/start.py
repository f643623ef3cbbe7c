"""`up`: check, install, then start every service as soon as what it needs is ready."""

from __future__ import annotations

import fcntl
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, Lock
from typing import Protocol

from dotenv import dotenv_values

from clickpulse.certificates import ensure_certificates
from clickpulse.credentials import generate_credentials
from clickpulse.errors import ClickpulseError, ConfigurationError
from clickpulse.settings import PROJECT_ROOT, home_dir, stack_env_file
from local import java, preflight, s3gateway
from local.processes import end_leftovers
from local.selection import with_needed
from local.services import Service, all_services
from local.services.connect import install as install_connect
from local.settings import LocalSettings, run_dir
from local.stack import open_stack, write_stack_env
from local.start_times import record_start_time
from local.supervision import (
    RUNNING,
    Supervisor,
    daemon_command,
    daemon_environment,
    log_file,
    write_configuration,
)

_POLL_SECONDS = 0.1
_DAEMON_SECONDS = 15


class Progress(Protocol):
    """Told what happens, from several threads."""

    def step(self, service: str, doing: str) -> None: ...

    def ready(self, service: str, seconds: float) -> None: ...


def start_stack(
    settings: LocalSettings, progress: Progress, *, choose_ports: bool = False, only: Sequence[str] = ()
) -> None:
    """Start what doesn't run yet, or of it the services in `only` and what they need; harmless if everything runs."""
    began = time.monotonic()
    with _only_one_start():
        supervisor = Supervisor()
        from_nothing = not supervisor.alive()
        if from_nothing:
            end_leftovers()
            if choose_ports and not stack_env_file().exists():
                settings = LocalSettings.load(traffic=settings.traffic, **preflight.free_ports())
            preflight.check(settings)
            _bring_downloads(settings, progress)
        _check_unchanged(settings, running=not from_nothing)
        generate_credentials()
        ensure_certificates()
        write_stack_env(settings)
        services = with_needed(all_services(open_stack(settings)), only)
        _start_daemon(supervisor, services, settings)
        _Starter(supervisor, services, progress).run()
        if from_nothing:
            record_start_time(time.monotonic() - began)


def _check_unchanged(settings: LocalSettings, *, running: bool) -> None:
    """Services that run go on with the addresses that they started with."""
    if running and stack_env_file().is_file():
        known = (dotenv_values(stack_env_file()).get("LOCAL_TLS") or "false") == "true"
        if known != settings.tls:
            raise ConfigurationError(
                f"LOCAL_TLS is {str(settings.tls).lower()} and the stack runs with the opposite: run "
                "`clickpulse down` first, or leave it as it is"
            )


def _bring_downloads(settings: LocalSettings, progress: Progress) -> None:
    """Bring the jars and see that the S3 gateway's source can be had, before anything starts; it is built meanwhile."""
    progress.step("downloads", "bringing what is missing")
    with ThreadPoolExecutor(2) as pool:
        jars = pool.submit(java.install_jars)
        if settings.sink == "connect":
            jars.result()
            install_connect()
        if settings.s3_gateway == "versitygw":
            s3gateway.check_reachable()
        jars.result()
    progress.step("downloads", "waiting")


@contextmanager
def _only_one_start() -> Iterator[None]:
    run_dir().mkdir(parents=True, exist_ok=True)
    with (run_dir() / "up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ClickpulseError(
                f"another `clickpulse up` is starting the stack in {home_dir()}: wait for it"
            ) from None
        yield


def _start_daemon(supervisor: Supervisor, services: list[Service], settings: LocalSettings) -> None:
    file = write_configuration(services)
    if supervisor.alive():
        supervisor.reload()
        return
    environment = daemon_environment(open_stack(settings).environment)
    done = subprocess.run(
        daemon_command(file), env=environment, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False
    )
    deadline = time.monotonic() + _DAEMON_SECONDS
    while not supervisor.alive():
        if done.returncode or time.monotonic() > deadline:
            raise ClickpulseError(f"supervisord did not start: {done.stderr.strip() or done.stdout.strip()}")
        time.sleep(_POLL_SECONDS)


class _Starter:
    """Starts services in threads, each when those it needs are ready; the first failure stops the rest."""

    def __init__(self, supervisor: Supervisor, services: list[Service], progress: Progress) -> None:
        self._supervisor = supervisor
        self._services = services
        self._progress = progress
        self._calls = Lock()  # supervisord's connection is not for several threads at once
        self._failed = Event()
        self._futures: dict[str, Future[None]] = {}

    def run(self) -> None:
        with ThreadPoolExecutor(len(self._services)) as pool:
            ready = Lock()
            with ready:  # nobody looks a future up before all are there
                for service in self._services:
                    self._futures[service.name] = pool.submit(self._start_guarded, service, ready)
            errors = [future.exception() for future in self._futures.values()]
        for error in errors:
            if error is not None and not isinstance(error, _NotStartedError):
                raise error

    def _start_guarded(self, service: Service, ready: Lock) -> None:
        with ready:
            pass
        try:
            self._start(service)
        except BaseException:
            self._failed.set()
            raise

    def _start(self, service: Service) -> None:
        if service.install is not None:
            self._progress.step(service.name, "installing")
            service.install()
        self._progress.step(service.name, "waiting for " + ", ".join(service.needs) if service.needs else "starting")
        for name in service.needs:
            if self._futures[name].exception() is not None:
                raise _NotStartedError(service.name)
        if self._failed.is_set():
            raise _NotStartedError(service.name)
        self._progress.step(service.name, "starting")
        started = time.monotonic()
        if not self._runs(service):
            if service.configure is not None:
                service.configure()
            with self._calls:
                self._supervisor.start(service.name)
        self._wait_until_ready(service, started + service.start_seconds)
        self._prepare_once(service)
        self._progress.ready(service.name, time.monotonic() - started)

    def _prepare_once(self, service: Service) -> None:
        """Prepare each process once: a service that goes on running is as it was left."""
        if service.prepare is None:
            return
        with self._calls:
            pid = str(self._supervisor.processes()[service.name]["pid"])
        marker = run_dir() / f"{service.name}.prepared"
        if not (marker.is_file() and marker.read_text() == pid):
            self._progress.step(service.name, "preparing")
            service.prepare()
            marker.write_text(pid)

    def _runs(self, service: Service) -> bool:
        with self._calls:
            return bool(self._supervisor.processes()[service.name]["statename"] == RUNNING)

    def _wait_until_ready(self, service: Service, deadline: float) -> None:
        while True:
            problem = service.probe()
            with self._calls:
                info = self._supervisor.processes().get(service.name)
            if info is None:
                raise ClickpulseError(f"supervisord ended while {service.title} was starting")
            if problem is None and info["statename"] == RUNNING:
                return
            if info["statename"] == "FATAL" or time.monotonic() > deadline:
                raise ClickpulseError(
                    f"{service.title} did not get ready ({problem or info['statename']}). "
                    f"The end of {log_file(service.name)}:\n{_tail(service.name)}"
                )
            time.sleep(_POLL_SECONDS)


class _NotStartedError(ClickpulseError):
    """A service that was not started because another failed."""


def _tail(service: str, lines: int = 12) -> str:
    file = log_file(service)
    if not file.is_file():
        return "(no log)"
    return "\n".join(f"    {line}" for line in file.read_text(errors="replace").splitlines()[-lines:])
