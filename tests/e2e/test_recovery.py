"""`kill -9` of each part under traffic: the following reports are complete and nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clickpulse.clients import report_reader
from clickpulse.settings import PROJECT_ROOT, ReportReaderSettings
from clickpulse.windows import MinuteWindow, minutes_between
from tests.support import run_clickpulse, wait_for

VICTIMS = ("sink", "clickhouse", "kafka", "airflow-scheduler")
KILL_AT_SECOND = 30
RATE = 100

pytestmark = pytest.mark.usefixtures("stack")


@pytest.mark.timeout(900)
def test_a_kill_a_minute_loses_nothing(tmp_path: Path) -> None:
    first = MinuteWindow.containing(datetime.now(UTC) + timedelta(minutes=1))
    last = MinuteWindow(first.start + timedelta(minutes=len(VICTIMS)))  # one undisturbed minute at the end
    summary = tmp_path / "summary.json"
    seconds = (last.end - datetime.now(UTC)).total_seconds() + 3
    command = ["simulate", "--rate", str(RATE), "--flat", "--seed", "5", "--quiet", "--duration", f"{seconds:.0f}"]
    traffic = subprocess.Popen(
        [sys.executable, "-m", "clickpulse", *command, "--summary", str(summary)], cwd=PROJECT_ROOT
    )
    try:
        for window, victim in zip(minutes_between(first, last.previous), VICTIMS, strict=True):
            at = window.start + timedelta(seconds=KILL_AT_SECOND)
            wait_for(lambda at=at: datetime.now(UTC) >= at, seconds=120, what=f"{at}, to kill {victim}")
            killed = pid_of(victim)
            os.kill(killed, signal.SIGKILL)
            wait_for(
                lambda victim=victim, killed=killed: pid_of(victim) not in (None, killed),
                seconds=60,
                what=f"a new {victim}",
            )
        assert traffic.wait(180) == 0, "the producer could not deliver everything"
    finally:
        traffic.terminate()
        traffic.wait(30)

    acknowledged = json.loads(summary.read_text())["acknowledged_per_minute"]
    reported = {}
    for window in minutes_between(first, last):
        report = wait_for(lambda window=window: fetch(window), seconds=180, what=f"the report of {window}")
        assert report["complete"], f"{window}: {report['completeness']['reason']}"
        reported[str(window)] = report["totals"]["events"]
    assert reported == {window: acknowledged[window] for window in reported}


def pid_of(service: str) -> int | None:
    """The service's process, once it runs."""
    done = subprocess.run(
        [sys.executable, "-m", "clickpulse", "status", "--json"], cwd=PROJECT_ROOT, capture_output=True, check=False
    )
    by_name = {one["name"]: one["pid"] for one in json.loads(done.stdout)["services"]}
    return by_name[service]


def fetch(window: MinuteWindow) -> dict | None:
    with report_reader(ReportReaderSettings.load()) as api:
        answer = api.get(f"/api/v1/reports/{window}")
    return answer.json() if answer.is_success else None


def test_status_is_healthy_again() -> None:
    wait_for(
        lambda: all(one["health"] == "healthy" for one in json.loads(run_clickpulse("status", "--json"))["services"]),
        seconds=60,
        what="all services to be healthy",
    )
