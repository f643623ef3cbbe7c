"""Groups, ranges, sums and what is due: the small parts of the accounting."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from rich.console import Console

from clickpulse.accounting.book import Book
from clickpulse.accounting.columns import check_terms, minute_number, ranges, rows_of, window_of
from clickpulse.accounting.groups import GROUPS, Group, Mark, group_of
from clickpulse.accounting.record import AccountedMinute, Counts
from clickpulse.accounting.reports import CountingReport
from clickpulse.accounting.step import is_due
from clickpulse.accounting.text import account_text
from clickpulse.windows import MinuteWindow

NOON = MinuteWindow.parse("2026-11-22T12:00Z")


@pytest.mark.parametrize("chosen", list(product([False, True], repeat=len(Mark))))
def test_any_marks_put_a_message_into_one_group(chosen):
    marks = Mark(0)
    for mark, is_chosen in zip(Mark, chosen, strict=True):
        marks |= mark if is_chosen else Mark(0)

    assert group_of(marks) in Group
    assert GROUPS[marks] == group_of(marks)
    assert (group_of(marks) is Group.REPORTED) == (Mark.REPORTED in marks)
    if group_of(marks) is Group.MISSING:
        assert Mark.DUE in marks
        assert not marks & (Mark.LATE | Mark.DEAD_LETTERED | Mark.REPORTED)


@settings(deadline=None)
@given(st.sets(st.integers(0, 60)))
def test_ranges_name_each_offset_once_and_as_few_as_possible(offsets):
    found = ranges(np.array(sorted(offsets, reverse=True), np.int64))

    assert [offset for first, last in found for offset in range(first, last + 1)] == sorted(offsets)
    assert all(later[0] > earlier[1] + 1 for earlier, later in pairwise(found))


@settings(deadline=None)
@given(st.integers(0, 4 * 10**9 // 60))
def test_minutes_are_numbered_from_the_epoch(number):
    assert minute_number(window_of(number)) == number
    assert window_of(number).start.timestamp() == 60 * number


@settings(deadline=None)
@given(st.permutations(range(20)), st.integers(0, 19))
def test_sums_do_not_depend_on_the_order_and_do_on_every_row(order, changed):
    offsets, shorts = np.arange(20), np.arange(20, dtype=np.uint32) * 7
    total = check_terms(offsets, shorts).sum()

    assert check_terms(offsets[list(order)], shorts[list(order)]).sum() == total
    other = shorts.copy()
    other[changed] += 1
    assert check_terms(offsets, other).sum() != total


def test_a_book_that_is_extended_keeps_what_it_had():
    book = Book(2, {0: (5, 8)})
    book.enter(0, np.array([5, 6, 7]), np.array([0, 1, 0]), np.zeros(3, np.uint32))
    book.mark_offsets(Mark.STORED, 0, np.array([6, 99, 1]))

    book.extend(0, 2)
    book.enter(0, np.array([3]), np.array([1]), np.zeros(1, np.uint32))
    book.mark_below(Mark.DUE, 0, 7, without=Mark.STORED)

    assert book.start(0) == 2
    assert book.end(0) == 8
    assert book.counts().sum() == 4
    assert book.having(Mark.STORED, without=Mark.DUE).offset.tolist() == [6]
    assert book.of_group(Group.MISSING).offset.tolist() == [3, 5]
    assert book.of_group(Group.PENDING).offset.tolist() == [6, 7]
    assert book.marks_of(rows_of([1, 0, 1], [0, 0, 3], [6, 6, 6], [0, 0, 0])).tolist() == [int(Mark.STORED), 0, 0]


def test_groups_that_do_not_sum_up_are_no_counts():
    with pytest.raises(ValidationError, match="the groups hold 3 messages"):
        Counts(acknowledged=4, reported=2, late=1)


def test_the_json_is_the_documented_one(world):
    world.message(0, 1)
    world.message(1, 2, store=False, report=False)

    account = json.loads(world.account().model_dump_json(by_alias=True))

    assert {"from", "to", "adds_up", "totals", "refused_by_producers", "minutes"} == set(account)
    assert (account["from"], account["to"]) == ("2026-11-22T10:00:00Z", "2026-11-22T10:03:00Z")
    assert set(account["totals"]) == set(Counts.model_fields)
    assert account["minutes"][1]["problems"][0] == {
        "kind": "missing",
        "partition": 0,
        "offsets": [[1, 1]],
        "detail": "the sink has committed beyond it, and ClickHouse has no row of it",
    }
    assert account["minutes"][0]["revision"] == 0
    assert account["minutes"][1]["revision"] is None


def shown(account):
    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    console.print(account_text(account))
    return console.export_text()


def test_long_ranges_are_condensed_and_minutes_with_problems_are_shown_in_full(make_world):
    world = make_world(minutes=40, now=7200)
    for minute in range(40):
        world.message(minute, minute, store=minute != 20, report=minute != 20)

    text = shown(world.account())

    assert "does not add up in 1 of 40 minutes" in text
    lines = [line.split() for line in text.splitlines()]
    assert ["11-22", "10:00-10:20", "20", "min", "20", "20", *["0"] * 6] in lines
    assert ["11-22", "10:20", "none", "1", *["0"] * 5, "1", "0"] in lines
    assert ["11-22", "10:21-10:40", "19", "min", "19", "19", *["0"] * 6] in lines
    assert ["all", "40", "39", *["0"] * 4, "1", "0"] in lines
    assert "missing: the sink has" in text


def test_a_range_that_adds_up_says_so(world):
    world.message(0, 1)

    assert "every event is accounted for" in shown(world.account())


def report(seconds_after_end: float, revision: int = 0) -> CountingReport:
    return CountingReport(NOON, revision, True, 1, "k", NOON.end + timedelta(seconds=seconds_after_end))


def accounted(**values: object) -> AccountedMinute:
    given = {"window": NOON.start, "revision": 0, "complete": True, "checked_at": datetime(2026, 1, 1, tzinfo=UTC)}
    return AccountedMinute(**(given | values))


PROBLEM = {"kind": "missing", "partition": 0, "offsets": [(1, 1)], "detail": "x"}


@pytest.mark.parametrize(
    ("found", "account", "seconds", "due"),
    [
        (report(2), None, 181, False),
        (report(2), None, 182, True),
        (None, None, 299, False),
        (None, None, 300, True),
        (report(2), accounted(), 600, False),
        (report(2, revision=1), accounted(), 600, True),
        (report(2), accounted(problems=[PROBLEM]), 600, True),
        (report(2), accounted(acknowledged=1, pending=1), 600, True),
        (report(500, revision=1), accounted(), 600, False),
        (None, accounted(revision=None, complete=None), 600, False),
    ],
)
def test_a_minute_is_accounted_for_when_its_report_is_settled_and_again_until_it_adds_up(found, account, seconds, due):
    assert is_due(NOON, found, account, NOON.end + timedelta(seconds=seconds)) == due
