"""`clickpulse reconcile`, run as a person would run it, over the minutes that a fault touched."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

from clickpulse.settings import PROJECT_ROOT
from clickpulse.windows import MinuteWindow

RUN_SECONDS = 300
_POLL_SECONDS = 5.0


@dataclass(frozen=True)
class Reconciled:
    """Exit status, the document of `--json`, and everything that was printed."""

    status: int
    document: dict[str, Any]
    output: str

    @property
    def totals(self) -> dict[str, int]:
        totals: dict[str, int] = self.document.get("totals", {})
        return totals

    @property
    def problems(self) -> list[str]:
        """What does not add up, minute by minute, with the places in Kafka."""
        if self.status not in {0, 1}:
            return [f"reconcile could not check: {self.output.strip()[-300:]}"]
        named = [
            f"{minute['window']}: {problem['kind']} in partition {problem['partition']}, offsets {problem['offsets']}: "
            f"{problem['detail']}"
            for minute in self.document["minutes"]
            for problem in minute["problems"]
        ]
        return named or ([] if self.document["adds_up"] else ["reconcile says that it does not add up, and not where"])


def reconcile(first: MinuteWindow, last: MinuteWindow) -> Reconciled:
    """Over the minutes from `first` to `last`, both included."""
    command = [sys.executable, "-m", "clickpulse", "reconcile", str(first), str(MinuteWindow(last.end)), "--json"]
    done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
    document = json.loads(done.stdout) if done.returncode in {0, 1} and done.stdout.startswith("{") else {}
    status = done.returncode if document else 2
    return Reconciled(status, document, done.stdout + done.stderr)


def reconcile_settled(first: MinuteWindow, last: MinuteWindow, *, seconds: float) -> Reconciled:
    """Once nothing is pending any more and all adds up; what it says after `seconds` otherwise."""
    deadline = time.monotonic() + seconds
    while True:
        found = reconcile(first, last)
        settled = found.status == 0 and not found.totals["pending"]
        if settled or time.monotonic() >= deadline:
            return found
        time.sleep(_POLL_SECONDS)
