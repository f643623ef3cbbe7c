"""A day reported by `clickpulse backfill`, beside what the minutely DAG takes for windows of the same day.

The day's events are put into ClickHouse by a query: how they get there is measured elsewhere. Their reports stay in the
report API, under a day long ago; the events are deleted at the end.
"""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.measurements import Figure
from clickpulse.airflow.api import AirflowApi, airflow_api
from clickpulse.clients import clickhouse_client, report_reader
from clickpulse.errors import ClickpulseError
from clickpulse.settings import (
    PROJECT_ROOT,
    AirflowLoginSettings,
    ClickHouseSettings,
    DashboardSettings,
    ReportReaderSettings,
)
from clickpulse.stored_reports import report_summaries
from clickpulse.windows import MinuteWindow
from local.services.base import python_module

MINUTES = 1440
EACH = 10_000
MINUTELY_RUNS = 12
_INSERT, _DELETE = (Path(__file__).with_name(name) for name in ("insert_day.sql", "delete_day.sql"))


def measure(say: Callable[[str], None], *, minutes: int = MINUTES, each: int = EACH) -> list[Figure]:
    """Seconds for the day by a backfill, and for a window of it by the minutely DAG.

    Raises:
        ClickpulseError: a report is missing, or counts otherwise than was put in.
    """
    start = datetime(1990, 1, 1, tzinfo=UTC) + timedelta(days=random.SystemRandom().randrange(7000))
    _put_something_into_kafka()
    settings = ClickHouseSettings.load()
    with clickhouse_client(settings, send_receive_timeout=600) as client:
        parameters = {"start": start.strftime("%Y-%m-%d %H:%M:%S"), "minutes": minutes, "each": each}
        say(f"{minutes * each:,} events of {start:%Y-%m-%d}")
        client.command(_INSERT.read_text(), parameters=parameters)
        try:
            say("clickpulse backfill")
            whole = _backfill(start, minutes)
            _check(start, minutes, each)
            say(f"{MINUTELY_RUNS} runs of the minutely DAG for the same windows")
            one = _minutely(start)
        finally:
            client.command(_DELETE.read_text(), parameters={"start": parameters["start"]})
    note = f"{minutes:,} windows of {each:,} events"
    return [
        Figure("backfill", "a day by `clickpulse backfill`", whole, "s", "", note),
        Figure("backfill", "a window by the minutely DAG", one, "s", "", f"{MINUTELY_RUNS} of these at once"),
        Figure("backfill", "a day by the minutely DAG", one * minutes, "s", "", "from that, not run"),
        Figure("backfill", "minutely DAG / backfill", one * minutes / whole, "times", "", "same windows"),
    ]


def _put_something_into_kafka() -> None:
    """The day's rows have the offset 0: a cutoff above it is needed, and a fresh stack's topic is empty."""
    subprocess.run(
        python_module("clickpulse", "simulate", "--rate", "200", "--duration", "2", "--quiet"),
        cwd=PROJECT_ROOT,
        check=True,
    )


def _backfill(start: datetime, minutes: int) -> float:
    reach = [str(MinuteWindow(moment)) for moment in (start, start + timedelta(minutes=minutes))]
    began = time.perf_counter()
    subprocess.run(
        python_module("clickpulse", "backfill", *reach), cwd=PROJECT_ROOT, check=True, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - began


def _check(start: datetime, minutes: int, each: int) -> None:
    with report_reader(ReportReaderSettings.load()) as client:
        found = report_summaries(client, start, start + timedelta(minutes=minutes))
    wrong = [str(MinuteWindow(one.window)) for one in found if one.events != each or not one.complete]
    if len(found) != minutes or wrong:
        raise ClickpulseError(f"{len(found)} of {minutes} reports; other counts than {each}: {wrong[:5]}")


def _minutely(start: datetime) -> float:
    """Seconds a window when many are asked for at once, as many of them side by side as the DAG allows."""
    login = AirflowLoginSettings.load()
    with airflow_api(DashboardSettings.load().airflow_url, login.user, login.admin_password.get_secret_value()) as api:
        began = time.perf_counter()
        runs = [
            api.trigger("minutely_report", {"window": str(MinuteWindow(start + timedelta(minutes=number)))})
            for number in range(MINUTELY_RUNS)
        ]
        while runs := [run for run in runs if not _ended(api, run)]:
            time.sleep(0.2)
        return (time.perf_counter() - began) / MINUTELY_RUNS


def _ended(api: AirflowApi, run: str) -> bool:
    state = api.state("minutely_report", run)
    if state == "failed":
        raise ClickpulseError(f"the run {run} of minutely_report failed: see its log in Airflow")
    return state == "success"
