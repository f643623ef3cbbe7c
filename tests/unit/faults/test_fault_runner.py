"""What the runner makes of a fault: a row with the counts, and a problem for everything that is not as it has to be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from clickpulse.windows import MinuteWindow
from tests.faults.canary import MARK, Search
from tests.faults.reconciling import Reconciled
from tests.faults.reports import Arrivals, Counted
from tests.faults.runner import Row, Watchers, run
from tests.faults.scenario import Course, Lab, Scenario
from tests.faults.topics import Letter
from tests.faults.traffic import Ledger

WINDOW = MinuteWindow(datetime(2026, 11, 22, 10, 0, tzinfo=UTC))
NOW = WINDOW.start.timestamp() + 20
SENT = 100


class Traffic:
    """Acknowledges more whenever it is asked; its account has `SENT` events of one minute."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._asked = 0
        self.account: dict[str, Any] = {"failed": 0, "outstanding": 0, "dead_lettered": 0, "finished": True}

    def start(self) -> None: ...

    def acknowledged(self) -> int:
        self._asked += 1
        return self._asked

    def stop(self) -> dict[str, Any]:
        per_minute = {str(WINDOW): SENT}
        self._ledger.add(per_minute)
        return {**self.account, "acknowledged_per_minute": per_minute}


class Services:
    """Healthy, unless told otherwise after the fault."""

    def __init__(self) -> None:
        self.ill_after: str | None = None
        self._asked = 0

    def wait_until_healthy(self, seconds: float) -> None:
        del seconds
        self._asked += 1
        if self._asked > 1 and self.ill_after:
            raise AssertionError(self.ill_after)

    def problems(self) -> dict[str, str]:
        return {}


class World:
    """Everything that the runner asks of; a test changes what it answers."""

    def __init__(self, folder: Path) -> None:
        ledger = Ledger()
        (folder / "logs").mkdir()
        (folder / "outputs").mkdir()
        self.services, self.traffic = Services(), Traffic(ledger)
        self.lab = Lab(
            folder, folder / "outputs", self.services, self.traffic, ledger, Search({MARK.encode(): "the mark"})
        )  # type: ignore[arg-type]
        self.counted: dict[MinuteWindow, Counted] = {WINDOW: Counted(0, True, SENT)}
        self.totals = {"acknowledged": SENT, "reported": SENT, "pending": 0, "missing": 0, "unexpected": 0}
        self.status = 0
        self.minutes: list[dict[str, Any]] = []
        self.letters: list[Letter] = []
        self.slept: list[float] = []
        self.asked: list[tuple[MinuteWindow, MinuteWindow]] = []

    def run(self, scenario: Scenario) -> Row:
        return run(scenario, self.lab, self.watchers())

    def watchers(self) -> Watchers:
        return Watchers(
            await_reports=self._arrivals,
            fetch=lambda _window: Counted(0, True, 1),
            reconcile=self._reconcile,
            dead_letter_ends=lambda: {0: 5},
            dead_letters_since=lambda begins: self.letters if begins == {0: 5} else [],
            observe=lambda _lab: ["the sink paused: no answer"],
            clock=lambda: NOW,
            sleep=self.slept.append,
        )

    def _arrivals(self, expected: dict[MinuteWindow, int], after: float, *, seconds: float) -> Arrivals:
        del seconds
        found = {window: self.counted[window] for window in expected if window in self.counted}
        return Arrivals(found, after + 41, after + 42)

    def _reconcile(self, first: MinuteWindow, last: MinuteWindow, *, seconds: float) -> Reconciled:
        del seconds
        self.asked.append((first, last))
        document = {"totals": self.totals, "adds_up": self.status == 0, "minutes": self.minutes}
        return Reconciled(self.status, document, "printed")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def a_scenario(strike: Callable[[Lab, Course], None] = lambda _lab, _course: None, **more: Any) -> Scenario:
    @contextmanager
    def struck(lab: Lab, course: Course) -> Iterator[None]:
        strike(lab, course)
        yield

    return Scenario("name", "title", "story", struck, **more)


def test_a_fault_that_is_survived_makes_a_row_without_problems(world: World) -> None:
    row = world.run(a_scenario(seconds=30))
    assert row.passed, row.problems
    assert (row.at_risk, row.lost, row.duplicated) == (SENT, 0, 0)
    assert (row.first_report_after, row.all_reports_after, row.healthy_after) == (41, 42, 0)
    assert world.slept == [30]
    assert row.happened == "story; the sink paused: no answer"
    assert world.asked == [(WINDOW, WINDOW)]


def test_times_count_from_the_end_of_a_kill_not_from_the_new_process(world: World) -> None:
    row = world.run(a_scenario(lambda _lab, course: setattr(course, "ended_at", NOW - 12)))
    assert row.healthy_after == 12


def test_events_missing_in_a_report_are_lost(world: World) -> None:
    world.counted = {WINDOW: Counted(1, True, SENT - 3)}
    row = world.run(a_scenario())
    assert (row.lost, row.duplicated) == (3, 0)
    assert row.problems == [f"{WINDOW} lacks 3 of {SENT} events (revision 1)"]


def test_a_minute_without_a_report_has_lost_all(world: World) -> None:
    world.counted = {}
    row = world.run(a_scenario())
    assert row.lost == SENT


def test_more_events_than_acknowledged_are_counted_twice(world: World) -> None:
    world.counted = {WINDOW: Counted(0, True, SENT + 2)}
    row = world.run(a_scenario())
    assert (row.lost, row.duplicated) == (0, 2)
    assert not row.passed


def test_an_incomplete_report_is_a_problem_even_with_every_event(world: World) -> None:
    world.counted = {WINDOW: Counted(0, False, SENT)}
    assert not world.run(a_scenario()).passed


def test_reconcile_has_a_word_of_its_own(world: World) -> None:
    world.status = 1
    world.totals = {**world.totals, "acknowledged": SENT, "reported": SENT - 4, "missing": 4}
    problem = {"kind": "missing", "partition": 3, "offsets": [[7, 10]], "detail": "overdue"}
    world.minutes = [{"window": str(WINDOW), "problems": [problem]}]
    row = world.run(a_scenario())
    assert row.lost == 4
    assert any("partition 3, offsets [[7, 10]]: overdue" in text for text in row.problems)


def test_a_reconcile_that_could_not_check_is_no_success(world: World) -> None:
    world.status = 2
    assert any("could not check" in text for text in world.run(a_scenario()).problems)


def test_events_that_reconcile_does_not_know_of_are_lost_in_kafka(world: World) -> None:
    world.totals = {**world.totals, "acknowledged": SENT - 1}
    row = world.run(a_scenario())
    assert row.lost == 1
    assert not row.passed


def test_a_good_event_among_the_dead_letters_is_a_problem(world: World) -> None:
    world.letters = [Letter({"dlq.error_class": "malformed-avro", "dlq.reason": "odd"}, b"")]
    assert not world.run(a_scenario()).passed


def test_bad_messages_have_to_be_set_aside_once_each_and_with_a_reason(world: World) -> None:
    place = {"dlq.partition": "1", "dlq.offset": "9"}
    known = {"dlq.error_class": "null-value", "dlq.reason": "why"}
    expecting = a_scenario(lambda _lab, course: course.letters.update(Counter({"null-value": 2})))
    world.letters = [Letter({**known, **place}, None), Letter({**known, **place, "dlq.offset": "10"}, None)]
    assert world.run(expecting).passed
    world.letters = [Letter({**known, **place}, None)] * 2
    assert any("(1, 9) was set aside 2 times" in text for text in world.run(expecting).problems)
    world.letters = [Letter({"dlq.error_class": "null-value"}, None)] * 2
    assert any("gives no reason" in text for text in world.run(expecting).problems)


def test_copies_and_minutes_besides_are_accounted_for(world: World) -> None:
    earlier = MinuteWindow(WINDOW.start.replace(hour=8))

    def strike(lab: Lab, course: Course) -> None:
        lab.ledger.note(WINDOW, acknowledged=5, reported=0)
        lab.ledger.note(earlier, acknowledged=7, reported=0)
        course.unreported.add(earlier)

    world.totals = {**world.totals, "acknowledged": 0, "reported": 0}
    totals = iter([{**world.totals, "acknowledged": 7}, {**world.totals, "acknowledged": 105, "reported": 100}])
    answer = world._reconcile

    def by_run(first: MinuteWindow, last: MinuteWindow, *, seconds: float) -> Reconciled:
        world.totals = next(totals)
        return answer(first, last, seconds=seconds)

    world._reconcile = by_run  # type: ignore[method-assign]
    row = world.run(a_scenario(strike))
    assert row.passed, row.problems
    assert world.asked == [(earlier, earlier), (WINDOW, WINDOW)]
    assert row.at_risk == 105


def test_services_that_stay_ill_fail_the_scenario_and_the_events_are_counted_all_the_same(world: World) -> None:
    world.services.ill_after = "waited 300 s for healthy services: {'kafka': 'no'}"
    row = world.run(a_scenario())
    assert row.problems == [world.services.ill_after]
    assert (row.healthy_after, row.at_risk, row.lost) == (None, SENT, 0)


def test_a_fault_that_could_not_be_brought_about_is_a_problem_not_a_success(world: World) -> None:
    def strike(_lab: Lab, _course: Course) -> None:
        raise AssertionError("there was no fault")

    assert world.run(a_scenario(strike)).problems == ["there was no fault"]


def test_undelivered_events_are_a_problem(world: World) -> None:
    world.traffic.account["failed"] = 2
    assert world.run(a_scenario()).problems == ["2 events failed"]


def test_a_secret_in_a_log_or_an_output_fails(world: World) -> None:
    (world.lab.home / "logs" / "sink.log").write_text(f"connecting with {MARK}\n")
    (problem,) = world.run(a_scenario()).problems
    assert "the mark in" in problem
    assert "sink.log" in problem
    assert MARK not in problem


def test_what_a_scenario_finds_itself_counts(world: World) -> None:
    assert world.run(a_scenario(verify=lambda *_: ["an unclear refusal"])).problems == ["an unclear refusal"]
