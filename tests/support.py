"""What tests of several folders share."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pytest

from clickpulse.settings import PROJECT_ROOT, KafkaSettings
from clickpulse.windows import MinuteWindow

_POLL_SECONDS = 0.2
_STOP_SECONDS = 30
_T = TypeVar("_T")


def external() -> bool:
    """Whether the services run elsewhere, as for the test containers: the tests start none of them."""
    return os.environ.get("CLICKPULSE_TEST_STACK") == "external"


def run_clickpulse(*arguments: str, timeout: float = 120) -> str:
    """Run the command line as a user does; returns its standard output, fails with all of it otherwise."""
    command = [sys.executable, "-m", "clickpulse", *arguments]
    done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, f"{' '.join(arguments)}: status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def forget_settings(patch: pytest.MonkeyPatch, *starts: str) -> None:
    """Take away the variables whose names start so: a unit test has settings of its own, also in a container."""
    for name in [name for name in os.environ if name.startswith(starts)]:
        patch.delenv(name)


def free_port() -> int:
    """Return a TCP port on 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def kafka_login(settings: KafkaSettings) -> dict[str, str]:
    """Return the environment that makes a program log in to Kafka as the user of `settings`."""
    name, password = settings.login()
    return {"KAFKA_SASL_USERNAME": name, "KAFKA_SASL_PASSWORD": password}


def wait_for_a_minute_of_its_own() -> None:
    """Wait for the start of a minute that begins after this call: what other tests sent belongs to earlier ones."""
    began = MinuteWindow.containing(datetime.now(UTC))

    def early_in_a_later_minute() -> bool:
        now = datetime.now(UTC)
        return MinuteWindow.containing(now) != began and 3 <= now.second <= 40

    wait_for(early_in_a_later_minute, seconds=100, what="a minute of its own")


def wait_for(look: Callable[[], _T | None], *, seconds: float, what: str) -> _T:
    """Look again and again until there is something; fails with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(_POLL_SECONDS)
    return found


@contextmanager
def running(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own while the block runs; it and what it started are ended afterwards."""
    import psutil  # not in every image that has these tests

    with log.open("ab") as output:
        process = subprocess.Popen(
            command, env=dict(environment), cwd=PROJECT_ROOT, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            leader = psutil.Process(process.pid)
            family = [leader, *leader.children(recursive=True)]
            leader.terminate()
            _, left = psutil.wait_procs(family, timeout=_STOP_SECONDS)
            for straggler in left:
                with suppress(psutil.NoSuchProcess):
                    straggler.kill()
            process.wait(_STOP_SECONDS)
