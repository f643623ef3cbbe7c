"""An hour of traffic with a fault about every two minutes, chosen by a seed; what was done is kept, to go on with."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from clickpulse.windows import MinuteWindow, minutes_between
from tests.faults import runner, table, topics, traffic
from tests.faults.runner import Row, Watchers
from tests.faults.scenario import Course, Lab, Scenario
from tests.faults.scenarios import disks, network, processes

EVERY_SECONDS = 120
SHORT_OUTAGE_SECONDS = 45
LONGEST_SECONDS = 60
"""Of one fault: the next one has to come on time."""
HEALTHY_SECONDS = 420
REPORT_SECONDS = 900
_LATE_SECONDS = 1.0


def asked_minutes(hours: float | None, minutes: float | None) -> float | None:
    """How long, by the options `--hours` and `--minutes`; None without either: no long run is wanted."""
    return None if hours is None and minutes is None else 60 * (hours or 0) + (minutes or 0)


def candidates() -> dict[str, Scenario]:
    """Faults of processes, network and disks; outages are shortened."""
    every = [scenario for module in (processes, network, disks) for scenario in module.scenarios()]
    short = [one if one.seconds <= LONGEST_SECONDS else replace(one, seconds=SHORT_OUTAGE_SECONDS) for one in every]
    return {scenario.name: scenario for scenario in short}


def plan(seed: int, minutes: float, names: Sequence[str]) -> list[str]:
    """Which fault is brought every two minutes; the last two minutes have none."""
    draw = random.Random(seed)
    return [draw.choice(sorted(names)) for _ in range(max(1, int(minutes * 60 // EVERY_SECONDS) - 1))]


@dataclass
class State:
    """What has been done, written after every fault.

    `began` and `elapsed` in seconds, the former since the epoch; `elapsed` counts only what was under traffic.
    """

    seed: int
    minutes: float
    rate: float
    began: float = field(default_factory=time.time)
    elapsed: float = 0
    done: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    letters_before: dict[str, int] = field(default_factory=dict)
    first_summary: int = 0

    @classmethod
    def open(cls, file: Path, fresh: State, *, resume: bool) -> State:
        """The kept state where one is to be gone on with; it has to be of the same run."""
        if not (resume and file.is_file()):
            return fresh
        kept = cls(**json.loads(file.read_text()))
        asked = (fresh.seed, fresh.minutes, fresh.rate)
        assert (kept.seed, kept.minutes, kept.rate) == asked, f"{file} is of another run than {asked}"
        return kept

    def write(self, file: Path) -> None:
        part = file.with_suffix(".part")
        part.write_text(json.dumps(asdict(self), indent=1))
        part.replace(file)


def execute(lab: Lab, state: State, file: Path, report: Callable[[str], None]) -> Row:
    """Bring the faults of the plan that are left, then account for every minute since the beginning."""
    known = {name: one for name, one in candidates().items() if one.missing(lab) is None}
    names = plan(state.seed, state.minutes, list(known))
    lab.services.wait_until_healthy(HEALTHY_SECONDS)
    if not state.done:
        state.letters_before = {str(number): end for number, end in topics.dead_letter_ends().items()}
    with _under_traffic(lab, state, file):
        began = time.monotonic() - state.elapsed
        for number, name in enumerate(names[len(state.done) :], start=len(state.done)):
            _wait_until(began + (number + 0.5) * EVERY_SECONDS)
            entry = _one(lab, known[name], state)
            state.done.append(entry)
            state.elapsed = time.monotonic() - began
            state.write(file)
            report(f"{number + 1}/{len(names)} {entry}")
        _wait_until(began + state.minutes * 60)
        lab.services.wait_until_healthy(HEALTHY_SECONDS)
    return _account(lab, state)


@contextmanager
def _under_traffic(lab: Lab, state: State, file: Path) -> Any:
    lab.traffic.start()
    try:
        yield
    finally:
        state.problems += traffic.problems_of(lab.traffic.stop())
        state.write(file)


def _one(lab: Lab, scenario: Scenario, state: State) -> dict[str, Any]:
    """Bring a fault and wait until all is healthy again; what goes wrong is kept, and the run goes on."""
    course = Course()
    began = time.time()
    entry: dict[str, Any] = {"name": scenario.name, "at": runner.iso(began)}
    try:
        with scenario.strike(lab, course):
            time.sleep(scenario.seconds)
        ended = course.ended_at or time.time()
        lab.services.wait_until_healthy(scenario.healthy_seconds)
        entry["healthy_after"] = round(time.time() - ended, 1)
    except AssertionError as error:
        state.problems.append(f"{scenario.name} at {entry['at']}: {error}")
    return entry


def _wait_until(moment: float) -> None:
    """`moment` is on the monotonic clock; one that is past is no reason to hurry."""
    while (ahead := moment - time.monotonic()) > 0:
        time.sleep(min(ahead, _LATE_SECONDS))


def _account(lab: Lab, state: State) -> Row:
    """Every minute since the beginning, as after a single fault."""
    world = Watchers()
    sent = summaries(lab.folder, state.first_summary)
    row = Row(
        table.LONG_RUN,
        f"{state.minutes:g} minutes at {state.rate:g} events/s with seed {state.seed}",
        _told(state),
        runner.iso(state.began),
        problems=list(state.problems),
    )
    lab.ledger.acknowledged.clear()
    lab.ledger.reported.clear()
    lab.ledger.add(sent)
    windows = [MinuteWindow.parse(text) for text in sent]
    expected = {window: lab.ledger.reported[window] for window in minutes_between(min(windows), max(windows))}
    ended = time.time()
    arrived = world.await_reports(expected, ended, seconds=REPORT_SECONDS)
    runner.count(row, lab, expected, arrived, ended)
    runner.reconcile(row, lab, expected, Course(), world)
    before = {int(number): end for number, end in state.letters_before.items()}
    row.problems += runner.letter_problems(Course().letters, topics.dead_letters_since(before))
    row.problems += lab.search.new_in([lab.home / "logs", lab.folder])
    return row


def summaries(folder: Path, first: int) -> Mapping[str, int]:
    """What was acknowledged in each minute, over all runs of the simulator from `first` on."""
    totals: dict[str, int] = {}
    for file in sorted(folder.glob("traffic-*.json")):
        if int(file.stem.removeprefix("traffic-")) >= first:
            for minute, count in traffic.read_summary(file)["acknowledged_per_minute"].items():
                totals[minute] = totals.get(minute, 0) + count
    return totals


def _told(state: State) -> str:
    times = sorted(entry["healthy_after"] for entry in state.done if "healthy_after" in entry)
    middle = f", healthy again after {times[len(times) // 2]:.0f} s at the median" if times else ""
    worst = f" and {times[-1]:.0f} s at most" if times else ""
    kinds = len({entry["name"] for entry in state.done})
    return f"{len(state.done)} faults of {kinds} kinds{middle}{worst}"
