"""What tests of several folders share."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from typing import TypeVar

from clickpulse.settings import PROJECT_ROOT

_POLL_SECONDS = 0.2
_T = TypeVar("_T")


def run_clickpulse(*arguments: str, timeout: float = 120) -> str:
    """Run the command line as a user does; returns its standard output, fails with all of it otherwise."""
    command = [sys.executable, "-m", "clickpulse", *arguments]
    done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, f"{' '.join(arguments)}: status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def wait_for(look: Callable[[], _T | None], *, seconds: float, what: str) -> _T:
    """Look again and again until there is something; fails with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(_POLL_SECONDS)
    return found
