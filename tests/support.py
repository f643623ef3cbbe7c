"""What tests of several folders share."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TypeVar

from clickpulse.settings import PROJECT_ROOT, KafkaSettings

_POLL_SECONDS = 0.2
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


def free_port() -> int:
    """Return a TCP port on 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def kafka_login(settings: KafkaSettings) -> dict[str, str]:
    """Return the environment that makes a program log in to Kafka as the user of `settings`."""
    name, password = settings.login()
    return {"KAFKA_SASL_USERNAME": name, "KAFKA_SASL_PASSWORD": password}


def wait_for(look: Callable[[], _T | None], *, seconds: float, what: str) -> _T:
    """Look again and again until there is something; fails with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(_POLL_SECONDS)
    return found
