"""The stack's services from outside: what they are doing, and what can be done to their processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import psutil

from local.services import Service, all_services
from local.settings import LocalSettings
from local.stack import open_stack
from local.supervision import RUNNING, Supervisor
from tests.support import wait_for

KILLED_SECONDS = 120
_LOOK_SECONDS = 0.5
"""A look costs every service an answer, on a machine that has enough to do just then."""


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
        states = {name: str(processes.get(name, {}).get("statename", "STOPPED")) for name in self._services}
        with ThreadPoolExecutor(len(self._services)) as pool:
            looked = pool.map(
                lambda name: self._services[name].probe() if states[name] == RUNNING else states[name], states
            )
            return {name: problem for name, problem in zip(states, looked, strict=True) if problem is not None}

    def wait_until_healthy(self, seconds: float) -> None:
        """Until all of them are, at most so long; fails with what is wrong then."""
        deadline = time.monotonic() + seconds
        while left := self.problems():
            assert time.monotonic() < deadline, f"waited {seconds} s for healthy services: {left}"
            time.sleep(_LOOK_SECONDS)

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
