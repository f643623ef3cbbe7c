"""Waiting for reports and comparing them with the producers' account, with a clock of the test's own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clickpulse.windows import MinuteWindow
from tests.faults.reports import Counted, await_reports, problems_of
from tests.faults.runner import runs_of
from tests.faults.traffic import Ledger
from tests.faults.traffic import problems_of as traffic_problems

FIRST = MinuteWindow(datetime(2026, 11, 22, 10, 0, tzinfo=UTC))
SECOND, THIRD, FIFTH = (MinuteWindow(FIRST.start + timedelta(minutes=number)) for number in (1, 2, 4))


class Course:
    """Reports that come as time goes on: `script` says from which second on a minute has which report."""

    def __init__(self, script: list[tuple[float, MinuteWindow, Counted]]) -> None:
        self.now = 0.0
        self._script = script

    def fetch(self, window: MinuteWindow) -> Counted | None:
        return next((found for at, of, found in reversed(self._script) if of == window and self.now >= at), None)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def awaited(self, expected: dict[MinuteWindow, int], *, after: float = 0, seconds: float = 100):
        return await_reports(
            expected, after, seconds=seconds, fetch=self.fetch, clock=lambda: self.now, sleep=self.sleep
        )


def test_an_incomplete_report_is_waited_for_until_its_revision_is_complete() -> None:
    course = Course(
        [(5, FIRST, Counted(0, False, 7)), (30, FIRST, Counted(1, True, 10)), (20, SECOND, Counted(0, True, 3))]
    )
    arrived = course.awaited({FIRST: 10, SECOND: 3})
    assert (arrived.first, arrived.last) == (20, 30)
    assert arrived.counted == {FIRST: Counted(1, True, 10), SECOND: Counted(0, True, 3)}


def test_a_report_from_before_the_end_of_the_fault_is_not_the_first_after_it() -> None:
    course = Course([(0, FIRST, Counted(0, True, 10)), (40, SECOND, Counted(0, True, 3))])
    course.now = 1
    assert course.awaited({SECOND: 3}, after=10).first == 40


def test_missing_events_are_told_after_the_limit_and_more_than_acknowledged_at_once_too() -> None:
    course = Course([(0, FIRST, Counted(2, True, 8)), (0, SECOND, Counted(0, True, 12))])
    expected = {FIRST: 10, SECOND: 10, THIRD: 1}
    arrived = course.awaited(expected, seconds=9)
    assert arrived.last is None
    assert course.now == pytest.approx(9, abs=1)
    assert problems_of(expected, arrived.counted) == [
        f"{FIRST} lacks 2 of 10 events (revision 2)",
        f"{SECOND} has 2 events more than the 10 acknowledged",
        f"{THIRD} has no report",
    ]


def test_the_ledger_tells_copies_from_events() -> None:
    ledger = Ledger()
    ledger.add({str(FIRST): 100, str(SECOND): 50})
    ledger.add({str(SECOND): 5})
    ledger.note(FIRST, acknowledged=40, reported=0)
    assert (ledger.acknowledged[FIRST], ledger.reported[FIRST]) == (140, 100)
    assert (ledger.acknowledged[SECOND], ledger.reported[SECOND]) == (55, 55)


def test_a_producer_that_failed_or_did_not_finish_is_a_problem() -> None:
    good = {"failed": 0, "outstanding": 0, "dead_lettered": 0, "finished": True}
    assert traffic_problems(good) == []
    assert traffic_problems({**good, "failed": 3}) == ["3 events failed"]
    assert traffic_problems({**good, "finished": False}) == ["the simulator did not finish its account"]


def test_windows_become_runs_without_gaps() -> None:
    assert runs_of([FIFTH, FIRST, THIRD, SECOND]) == [(FIRST, THIRD), (FIFTH, FIFTH)]
    assert runs_of([]) == []
