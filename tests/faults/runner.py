"""Runs a scenario under traffic and says what became of the events: a row of the table.

Traffic flows and the newest minute is reported; the fault comes and goes; the services get healthy; every minute that
was touched gets a complete report. Then the report's counts are held against what the producers were acknowledged, and
`clickpulse reconcile` is asked about the same minutes.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from clickpulse.windows import MINUTE, MinuteWindow, minutes_between
from tests.faults import observing, reports, topics, traffic
from tests.faults.reconciling import Reconciled, reconcile_settled
from tests.faults.reports import Arrivals, await_reports
from tests.faults.scenario import Course, Lab, Scenario
from tests.faults.topics import Letter
from tests.support import wait_for

CURRENT_SECONDS = 600
"""For a recent minute's report before anything is done; on a fresh stack it is the first one."""
FLOW_SECONDS = 180
RECONCILE_SECONDS = 300
"""A minute's revision is due three minutes after its last event came."""


@dataclass
class Row:
    """What one scenario did; a line of the results.

    Durations are in seconds from the end of the fault. `at_risk` are the events acknowledged in the minutes that the
    fault touched; `lost` and `duplicated` are the larger of what the reports' counts and `reconcile` say.
    """

    name: str
    fault: str
    happened: str
    began: str
    at_risk: int = 0
    lost: int = 0
    duplicated: int = 0
    healthy_after: float | None = None
    first_report_after: float | None = None
    all_reports_after: float | None = None
    windows: dict[str, dict[str, int | bool | None]] = field(default_factory=dict)
    reconciled: dict[str, int] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    machine: dict[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "passed": self.passed}


@dataclass(frozen=True)
class Watchers:
    """What the runner asks of the world; tests of the runner give it others."""

    await_reports: Callable[..., Arrivals] = await_reports
    fetch: reports.Fetch = reports.fetch_report
    reconcile: Callable[..., Reconciled] = reconcile_settled
    dead_letter_ends: Callable[[], dict[int, int]] = topics.dead_letter_ends
    dead_letters_since: Callable[[dict[int, int]], list[Letter]] = topics.dead_letters_since
    observe: Callable[[Lab], Iterable[str]] = observing.observe
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep


def run(scenario: Scenario, lab: Lab, watchers: Watchers | None = None) -> Row:
    """Bring the fault about and account for every event. What went wrong is in the row's `problems`."""
    world = watchers or Watchers()
    course = Course()
    lab.services.wait_until_healthy(scenario.healthy_seconds)
    lab.traffic.start()
    _await_current(world)
    letters_before = world.dead_letter_ends()
    row = Row(scenario.name, scenario.title, scenario.story, iso(world.clock()))
    try:
        with scenario.strike(lab, course):
            if scenario.seconds:
                world.sleep(scenario.seconds)
                for note in world.observe(lab):
                    course.note(note)
    except AssertionError as error:  # the events are accounted for all the same
        row.problems.append(str(error))
    ended = course.ended_at or world.clock()
    try:
        lab.services.wait_until_healthy(scenario.healthy_seconds)
        row.healthy_after = round(world.clock() - ended, 1)
        _await_flow(lab)
    except AssertionError as error:
        row.problems.append(str(error))
    summary = lab.traffic.stop()
    row.problems += traffic.problems_of(summary)
    touched = _touched(summary, course)
    expected = {window: lab.ledger.reported[window] for window in touched}
    arrived = world.await_reports(expected, ended, seconds=scenario.report_seconds)
    count(row, lab, expected, arrived, ended)
    reconcile(row, lab, expected, course, world)
    letters = world.dead_letters_since(letters_before)
    row.problems += letter_problems(course.letters, letters)
    row.problems += scenario.verify(lab, course, letters)
    row.problems += lab.search.new_in([lab.home / "logs", lab.folder])
    row.happened = "; ".join([scenario.story, *course.notes])
    row.refused = course.refused
    return row


def _await_current(world: Watchers) -> None:
    """One of the last minutes has a complete report: all was well before the fault."""
    what = f"a complete report of one of the last {reports.RECENT_MINUTES} minutes"

    def newest() -> MinuteWindow | None:
        return reports.newest_reported(datetime.fromtimestamp(world.clock(), UTC), fetch=world.fetch)

    wait_for(newest, seconds=CURRENT_SECONDS, what=what)


def _await_flow(lab: Lab) -> None:
    """Events are acknowledged after the recovery as well."""
    before = lab.traffic.acknowledged()
    wait_for(lambda: lab.traffic.acknowledged() > before, seconds=FLOW_SECONDS, what="events to flow after the fault")


def _touched(summary: Mapping[str, Any], course: Course) -> list[MinuteWindow]:
    """The minutes that events were sent into while the scenario ran, without a gap, and those it names."""
    sent = [MinuteWindow.parse(text) for text in summary["acknowledged_per_minute"]]
    return sorted({*minutes_between(min(sent), max(sent)), *course.also_reported})


def count(row: Row, lab: Lab, expected: Mapping[MinuteWindow, int], arrived: Arrivals, ended: float) -> None:
    """Hold the reports against the producers' own account."""
    row.at_risk = sum(lab.ledger.acknowledged[window] for window in expected)
    for window, events in sorted(expected.items()):
        found = arrived.counted.get(window)
        row.windows[str(window)] = {
            "acknowledged": lab.ledger.acknowledged[window],
            "expected": events,
            "reported": found.events if found else None,
            "revision": found.revision if found else None,
            "complete": found.complete if found else None,
        }
        difference = (found.events if found else 0) - events
        row.lost += max(0, -difference)
        row.duplicated += max(0, difference)
    row.problems += reports.problems_of(expected, arrived.counted)
    row.first_report_after = _after(arrived.first, ended)
    row.all_reports_after = _after(arrived.last, ended)


def _after(moment: float | None, ended: float) -> float | None:
    return None if moment is None else round(moment - ended, 1)


def reconcile(row: Row, lab: Lab, expected: Mapping[MinuteWindow, int], course: Course, world: Watchers) -> None:
    """Ask `clickpulse reconcile` about the same minutes, and hold its counts against the producers' account too."""
    totals: Counter[str] = Counter()
    windows = {*expected, *course.unreported}
    for first, last in runs_of(windows):
        found = world.reconcile(first, last, seconds=RECONCILE_SECONDS)
        totals.update(found.totals)
        row.problems += found.problems
        row.problems += lab.search.in_text(found.output, "the output of reconcile")
    row.reconciled = dict(totals)
    sent = sum(lab.ledger.acknowledged[window] for window in windows)
    counted = sum(expected.values())
    for name, ours in (("acknowledged", sent), ("reported", counted)):
        if totals[name] != ours:
            row.problems.append(f"reconcile has {totals[name]} events {name}, the producers' account {ours}")
    row.problems += [f"{totals[name]} events {name}" for name in ("pending", "missing", "unexpected") if totals[name]]
    row.lost = max(row.lost, totals["missing"], sent - totals["acknowledged"])
    row.duplicated = max(row.duplicated, totals["unexpected"])


def runs_of(windows: Iterable[MinuteWindow]) -> list[tuple[MinuteWindow, MinuteWindow]]:
    """The windows as runs of successive minutes, each by its first and last."""
    runs: list[tuple[MinuteWindow, MinuteWindow]] = []
    for window in sorted(windows):
        if runs and window.start - runs[-1][1].start == MINUTE:
            runs[-1] = (runs[-1][0], window)
        else:
            runs.append((window, window))
    return runs


def letter_problems(wanted: Counter[str], letters: Iterable[Letter]) -> list[str]:
    """Exactly the messages that are bad were set aside, each once and with a reason."""
    letters = list(letters)
    found = Counter(letter.error_class for letter in letters)
    problems = []
    if found != wanted:
        problems.append(f"dead letters by class: {dict(found)}, expected were {dict(wanted)}")
    problems += [
        f"a dead letter of class {letter.error_class} gives no reason" for letter in letters if not letter.reason
    ]
    origins = Counter(letter.origin for letter in letters if letter.origin is not None)
    return problems + [
        f"message {origin} was set aside {count} times" for origin, count in origins.items() if count > 1
    ]


def iso(moment: float) -> str:
    """Seconds since the epoch as ISO 8601 in UTC."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
