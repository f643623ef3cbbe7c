"""The embedded sink beside Kafka Connect with the official one: the same events, the same ClickHouse, one after the
other.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.bulk import encoder_for, pregenerate, send
from bench.measurements import Figure, percentile
from bench.scratch import Scratch, scratch
from bench.sink_runs import RunningSink, embedded, kafka_connect
from clickpulse.clients import clickhouse_client
from clickpulse.completeness import await_window, kafka_offsets
from clickpulse.errors import ClickpulseError
from clickpulse.settings import PROJECT_ROOT, ReportSettings, SinkSettings
from clickpulse.windows import MinuteWindow, minutes_between
from local.services.base import python_module

BACKLOG = 300_000
RATE = 500
MINUTES = 3
_DRAIN_SECONDS = 300
_LOOK_SECONDS = 0.1
_WINDOW = MinuteWindow.parse("2026-01-01T00:00Z")
_ROWS = Path(__file__).with_name("sink_rows.sql")
_DELAYS = Path(__file__).with_name("sink_delays.sql")

Start = Callable[[Scratch], AbstractContextManager[RunningSink]]
_SINKS: dict[str, Start] = {"embedded": embedded, "Kafka Connect": kafka_connect}


def measure(say: Callable[[str], None]) -> list[Figure]:
    """A backlog and some minutes of steady traffic through each sink; both have to store every event."""
    figures: list[Figure] = []
    for name, start in _SINKS.items():
        figures += _backlog(name, start, say)
        figures += _steady(name, start, say)
    return figures


def _backlog(name: str, start: Start, say: Callable[[str], None]) -> list[Figure]:
    with scratch() as own:
        encoder = encoder_for(own.kafka)
        events = pregenerate(_WINDOW, BACKLOG, encoder)
        send(own.kafka, encoder, events)
        say(f"{name}: a backlog of {len(events):,} events")
        with start(own) as sink:
            seen = _watch(own, sink, len(events))
            memory = sink.memory_mb()
    (began, first), (ended, last) = seen[0], seen[-1]
    note = f"a backlog of {len(events):,} events"
    return [
        # From the first rows seen: the start does not count.
        Figure(name, "rows stored", (last - first) / (ended - began), "rows/s", "", note),
        Figure(name, "memory after it", memory, "MiB", "", "proportional set size"),
    ]


def _watch(own: Scratch, sink: RunningSink, rows: int) -> list[tuple[float, int]]:
    """Seconds (of a clock) and rows stored, whenever there are more."""
    client = clickhouse_client(own.clickhouse)
    seen: list[tuple[float, int]] = []
    deadline = time.monotonic() + _DRAIN_SECONDS
    try:
        while not seen or seen[-1][1] < rows:
            ((stored, _),) = client.query(_ROWS.read_text()).result_rows
            if stored > (seen[-1][1] if seen else 0):
                seen.append((time.monotonic(), stored))
            sink.require_running()
            if time.monotonic() > deadline:
                raise ClickpulseError(f"{stored} of {rows} rows were stored after {_DRAIN_SECONDS} s")
            time.sleep(_LOOK_SECONDS)
    finally:
        client.close()
    return seen


def _steady(name: str, start: Start, say: Callable[[str], None]) -> list[Figure]:
    with scratch() as own, start(own) as sink:
        encoder_for(own.kafka)
        sink.wait_ready()
        first = MinuteWindow.containing(datetime.now(UTC) + timedelta(seconds=70))
        last = MinuteWindow(first.start + timedelta(minutes=MINUTES - 1))
        say(f"{name}: {MINUTES} minutes at {RATE} events/s, from {first}")
        waited, sent = _minutes(own, first, last)
        delays = _delays(own, sent)
        memory = sink.memory_mb()
    note = f"{MINUTES} minutes at {RATE} events/s"
    return [
        Figure(name, "event to row, p50", delays[0], "s", "", note),
        Figure(name, "event to row, p95", delays[1], "s", "", note),
        Figure(
            name, "minute's end to its last commit, p50", percentile(waited, 50), "s", "", "what a report waits for"
        ),
        Figure(name, "memory during it", memory, "MiB", "", "proportional set size"),
    ]


def _minutes(own: Scratch, first: MinuteWindow, last: MinuteWindow) -> tuple[list[float], int]:
    """For each minute the seconds until it was complete, and the number of events that were sent."""
    seconds = (last.end - datetime.now(UTC)).total_seconds() + 3
    command = ["simulate", "--rate", str(RATE), "--flat", "--seed", "7", "--quiet", "--json"]
    command += ["--duration", f"{seconds:.0f}"]
    traffic = subprocess.Popen(
        python_module("clickpulse", *command), env=own.environment, cwd=PROJECT_ROOT, stdout=subprocess.PIPE
    )
    try:
        source = kafka_offsets(own.kafka, SinkSettings.load(group_id=own.environment["SINK_GROUP_ID"]))
        outcomes = [await_window(source, window, ReportSettings.load()) for window in minutes_between(first, last)]
        out, _ = traffic.communicate(timeout=_DRAIN_SECONDS)
    finally:
        traffic.terminate()
        traffic.wait(_DRAIN_SECONDS)
    if problems := [outcome.reason for outcome in outcomes if not outcome.complete]:
        raise ClickpulseError(f"minutes that were not complete in time: {'; '.join(problems)}")
    return [outcome.waited_seconds for outcome in outcomes], int(json.loads(out)["acknowledged"])


def _delays(own: Scratch, sent: int) -> tuple[float, float]:
    """Median and 95th percentile of the seconds from an event to its row. Every event has to be there."""
    client = clickhouse_client(own.clickhouse)
    deadline = time.monotonic() + _DRAIN_SECONDS
    try:
        while (stored := client.query(_ROWS.read_text()).result_rows[0][1]) < sent:
            if time.monotonic() > deadline:
                raise ClickpulseError(f"{stored} of {sent} acknowledged events were stored")
            time.sleep(_LOOK_SECONDS)
        ((p50, p95),) = client.query(_DELAYS.read_text()).result_rows
    finally:
        client.close()
    return float(p50), float(p95)
