"""The stack's services from outside: what they are doing, and what can be done to their processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import psutil

from local.services import Service, all_services
from local.settings import LocalSettings
from local.stack import open_stack
from local.supervision import RUNNING, Supervisor
from tests.support import wait_for

KILLED_SECONDS = 120


class Services:
    """The services of the stack that the settings point to."""

    def __init__(self) -> None:
        services = all_services(open_stack(LocalSettings.load()))
        self._services: dict[str, Service] = {service.name: service for service in services}
        self._supervisor = Supervisor()

    @property
    def names(self) -> Sequence[str]:
        return list(self._services)

    def pid(self, name: str) -> int | None:
        """The service's own process, once it runs."""
        info = self._supervisor.processes().get(name, {})
        return int(info["pid"]) or None if info.get("statename") == RUNNING else None

    def problems(self) -> dict[str, str]:
        """Every service that is not healthy, and why."""
        processes = self._supervisor.processes()
        found: dict[str, str] = {}
        for name, service in self._services.items():
            state = str(processes.get(name, {}).get("statename", "STOPPED"))
            problem = service.probe() if state == RUNNING else state
            if problem is not None:
                found[name] = problem
        return found

    def wait_until_healthy(self, seconds: float) -> float:
        """Return how long it took, in seconds."""
        began = time.monotonic()
        left: dict[str, str] = {}

        def healthy() -> bool:
            left.clear()
            left.update(self.problems())
            return not left

        try:
            wait_for(healthy, seconds=seconds, what="healthy services")
        except AssertionError as error:
            raise AssertionError(f"{error}: {left}") from None
        return time.monotonic() - began

    def kill(self, name: str) -> None:
        """`kill -9`; returns when the supervisor has started another process."""
        victim = self.pid(name)
        assert victim is not None, f"{name} does not run"
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda: self.pid(name) not in {None, victim}, seconds=KILLED_SECONDS, what=f"a new {name}")

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """SIGSTOP for the process and all that it started, SIGCONT afterwards."""
        victim = self.pid(name)
        assert victim is not None, f"{name} does not run"
        leader = psutil.Process(victim)
        leader.suspend()  # first: it starts nothing more
        family = [leader, *leader.children(recursive=True)]
        try:
            for process in family[1:]:
                with suppress(psutil.NoSuchProcess):
                    process.suspend()
            yield
        finally:
            for process in reversed(family):
                with suppress(psutil.NoSuchProcess):
                    process.resume()

    @contextmanager
    def stopped(self, name: str) -> Iterator[None]:
        """Stopped as by the supervisor, started again afterwards."""
        self._supervisor.stop(name)
        try:
            yield
        finally:
            self._supervisor.start(name)
