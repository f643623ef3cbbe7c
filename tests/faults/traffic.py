"""Simulated users, and the ledger of what Kafka acknowledged to them: the count that everything is held against."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clickpulse.settings import PROJECT_ROOT
from clickpulse.windows import MinuteWindow
from tests.support import wait_for

START_SECONDS = 120
STOP_SECONDS = 340
"""The producer keeps what Kafka has not taken for five minutes."""


@dataclass
class Ledger:
    """Events by the minute they happened in.

    `acknowledged` are messages that Kafka has, `reported` those of them that belong into a report: not a second copy of
    an event, and nothing that is dead-lettered or beyond the horizon.
    """

    acknowledged: Counter[MinuteWindow] = field(default_factory=Counter)
    reported: Counter[MinuteWindow] = field(default_factory=Counter)

    def add(self, per_minute: Mapping[str, int]) -> None:
        """Good events, each once, as a producer's summary has them."""
        for text, count in per_minute.items():
            window = MinuteWindow.parse(text)
            self.acknowledged[window] += count
            self.reported[window] += count

    def note(self, window: MinuteWindow, *, acknowledged: int, reported: int) -> None:
        """Messages that a test sent itself, and how many of them a report has to count."""
        self.acknowledged[window] += acknowledged
        self.reported[window] += reported


class Traffic:
    """`clickpulse simulate`, started and stopped; its account goes into the ledger when it has ended.

    Args:
        folder: for the summaries and the output, one file for each run.
        rate: events per second.

    `runs` is the number of the last run; summaries and outputs are named by it.
    """

    def __init__(self, folder: Path, rate: float, ledger: Ledger) -> None:
        self._folder = folder
        self._rate = rate
        self._ledger = ledger
        self._process: subprocess.Popen[bytes] | None = None
        self.runs = len(list(folder.glob("traffic-*.json")))

    @property
    def summary_file(self) -> Path:
        return self._folder / f"traffic-{self.runs:03}.json"

    def start(self) -> None:
        """Return when events flow."""
        assert self._process is None, "the traffic runs already"
        self.runs += 1
        # No seed: the same seed means the same event ids, which count once.
        command = [sys.executable, "-m", "clickpulse", "simulate", "--rate", f"{self._rate:g}", "--flat", "--quiet"]
        with (self._folder / f"traffic-{self.runs:03}.log").open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "--summary", str(self.summary_file)], cwd=PROJECT_ROOT, stdout=log, stderr=log
            )
        wait_for(self._flows, seconds=START_SECONDS, what="simulated events to be acknowledged")

    def stop(self) -> dict[str, Any]:
        """End it cleanly, enter what was acknowledged into the ledger, and return the summary."""
        assert self._process is not None, "the traffic does not run"
        process, self._process = self._process, None
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(STOP_SECONDS)
        summary = read_summary(self.summary_file)
        self._ledger.add(summary["acknowledged_per_minute"])
        return summary

    def kill(self) -> None:
        """Leave no process behind, whatever the account says."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_SECONDS)
            self._process = None

    @property
    def running(self) -> bool:
        return self._process is not None

    def acknowledged(self) -> int:
        """So far in this run; the file is written every second."""
        return int(read_summary(self.summary_file)["acknowledged"])

    def _flows(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"the traffic ended with status {self._process.returncode}"
        return self.summary_file.is_file() and self.acknowledged() > 0


def read_summary(file: Path) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads(file.read_text())
    return summary


def problems_of(summary: dict[str, Any]) -> list[str]:
    """What a producer's own account says went wrong."""
    problems = [
        f"{summary[name]} events {name}" for name in ("failed", "outstanding", "dead_lettered") if summary[name]
    ]
    return problems if summary["finished"] else [*problems, "the simulator did not finish its account"]
