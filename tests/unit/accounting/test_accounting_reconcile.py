"""What the accounting says of services whose contents are known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clickpulse.accounting.record import UncheckableError

GROUPS = ("reported", "duplicates", "late", "dead_lettered", "pending", "missing")


def counts(one: Any) -> dict[str, int]:
    """The groups that have any."""
    found = {name: getattr(one, name) for name in ("acknowledged", *GROUPS, "unexpected")}
    return {name: value for name, value in found.items() if value}


def problems(minute: Any) -> list[tuple[str, int | None, list[tuple[int, int]]]]:
    return [(one.kind, one.partition, one.offsets) for one in minute.problems]


def notes(minute: Any) -> list[tuple[str, int | None, list[tuple[int, int]]]]:
    return [(one.kind, one.partition, one.offsets) for one in minute.notes]


def test_everything_in_its_report_adds_up_and_single_rows_are_not_asked_for(world):
    for event in range(30):
        world.message(event % 3, event, event % 2)

    account = world.account()

    assert account.adds_up
    assert counts(account.totals) == {"acknowledged": 30, "reported": 30}
    assert [counts(minute)["reported"] for minute in account.minutes] == [10, 10, 10]
    assert not [asked for asked in world.asked if asked.startswith("rows")]


def test_a_minute_without_messages_is_empty(world):
    assert counts(world.minute(1)) == {}
    assert world.account().adds_up


def test_a_second_message_of_an_event_is_a_duplicate(world):
    world.message(0, 1)
    again = world.message(0, 1, 1, report=False)

    minute = world.minute(0)

    assert counts(minute) == {"acknowledged": 2, "reported": 1, "duplicates": 1}
    assert notes(minute) == [("duplicate", 1, [(again.offset, again.offset)])]
    assert minute.adds_up


@pytest.mark.parametrize(("away", "counted"), [(-60, True), (60, True), (-61, False), (62, False)])
def test_an_event_counts_once_within_an_hour_also_beyond_the_range(world, row, away, counted):
    other = row(away, 1, 0, event=7)
    world.messages.append(other)
    world.stored.append(other)
    world.reported[away] = [other]
    world.message(0, 7, report=False)

    assert counts(world.minute(0)) == {"acknowledged": 1, "duplicates" if counted else "missing": 1}


def test_a_lost_row_is_found_with_its_offset(world):
    for event in range(5):
        world.message(1, event)
    lost = world.messages[2]
    world.stored.remove(lost)
    world.reported[1].remove(lost)

    minute = world.minute(1)

    assert counts(minute) == {"acknowledged": 5, "reported": 4, "missing": 1}
    assert problems(minute) == [("missing", 0, [(2, 2)])]


def test_a_row_deleted_after_the_report_is_told(world):
    for event in range(5):
        world.message(1, event)
    world.stored.remove(world.messages[3])

    minute = world.minute(1)

    assert counts(minute) == {"acknowledged": 5, "reported": 5, "unexpected": 1}
    assert problems(minute) == [("not-stored", 0, [(3, 3)])]


def test_rows_that_clickhouse_no_longer_keeps_are_no_problem_and_gaps_behind_them_are(world):
    for event in range(5):
        world.message(0, event)
    del world.stored[:2]
    world.now = 86_400 * 31

    assert world.account().adds_up
    del world.stored[1]
    assert problems(world.minute(0)) == [("not-stored", 0, [(3, 3)])]


def test_what_the_sink_has_not_reached_is_pending(world):
    world.message(1, 1)
    world.message(1, 2, store=False, report=False)
    world.committed[0] = 1

    minute = world.minute(1)

    assert counts(minute) == {"acknowledged": 2, "reported": 1, "pending": 1}
    assert minute.adds_up
    assert notes(minute) == [("pending", 0, [(1, 1)])]


@pytest.mark.parametrize(
    ("arrived", "now", "group"),
    [
        (100, 299, "pending"),  # minute 1 ends at 120, so it is due at 300
        (100, 300, "missing"),
        (1000, 1179, "pending"),
        (1000, 1180, "missing"),
    ],
)
def test_a_stored_event_is_due_three_minutes_after_its_minute_or_its_arrival(world, arrived, now, group):
    late = replace(world.message(1, 1, report=False), arrived=arrived)
    world.stored[:] = [late]
    world.now = now

    minute = world.minute(1)

    assert counts(minute) == {"acknowledged": 1, group: 1}
    assert minute.adds_up == (group == "pending")


def test_late_events_are_in_the_ledger(world):
    world.message(0, 1)
    world.ledger.append(world.message(0, 2, report=False))

    assert counts(world.minute(0)) == {"acknowledged": 2, "reported": 1, "late": 1}


def test_a_late_event_that_a_backfill_took_up_is_reported(world):
    world.ledger.append(world.message(0, 2))

    assert counts(world.minute(0)) == {"acknowledged": 1, "reported": 1}


def test_a_late_duplicate_is_a_duplicate_and_of_late_twins_one_is_late(world):
    world.message(0, 1)
    world.ledger.append(world.message(0, 1, report=False))
    world.ledger += [world.message(1, 2, report=False), world.message(1, 2, 1, report=False)]

    account = world.account()

    assert counts(account.minutes[0]) == {"acknowledged": 2, "reported": 1, "duplicates": 1}
    assert counts(account.minutes[1]) == {"acknowledged": 2, "late": 1, "duplicates": 1}


def test_dead_letters_and_refused_events_are_told_apart(world):
    world.message(2, 1)
    dead = world.message(2, 2, 1, store=False, report=False)
    world.dead += [(1, dead.offset), (1, dead.offset), (9, 4)]
    world.refused = 3

    account = world.account()

    assert account.adds_up
    assert account.refused_by_producers == 3
    assert counts(account.minutes[2]) == {"acknowledged": 2, "reported": 1, "dead_lettered": 1}
    assert notes(account.minutes[2]) == [("dead-lettered", 1, [(0, 0)])]


def test_a_wrong_total_is_told(world):
    world.message(0, 1)
    world.totals[0] = 3

    minute = world.minute(0)

    assert problems(minute) == [("wrong-total", None, [])]
    assert "counts 3 events and was made of 1" in minute.problems[0].detail
    assert counts(minute) == {"acknowledged": 1, "reported": 1, "unexpected": 2}


def test_an_event_reported_twice_is_told(world):
    first = world.message(0, 1)
    second = world.message(0, 1, 1)
    third = world.message(1, 1)

    account = world.account()

    assert problems(account.minutes[0]) == [("reported-twice", 1, [(second.offset, second.offset)])]
    assert problems(account.minutes[1]) == [("reported-twice", 0, [(third.offset, third.offset)])]
    assert first.offset == 0
    assert account.totals.unexpected == 2


def test_an_event_reported_in_the_range_and_before_it_is_told(world, row):
    before = row(-5, 1, 0, event=7)
    world.messages.append(before)
    world.stored.append(before)
    world.reported[-5] = [before]
    world.message(0, 7)

    assert problems(world.minute(0)) == [("reported-twice", 0, [(0, 0)])]


def test_an_invented_row_is_told_wherever_its_offset_lies(world, row):
    world.message(0, 1)
    world.message(1, 2)
    world.stored += [row(0, 0, 1, 90), row(0, 0, 500, 91), row(0, 7, 0, 92)]

    minute = world.minute(0)

    assert problems(minute) == [
        ("row-without-message", 0, [(1, 1), (500, 500)]),
        ("row-without-message", 7, [(0, 0)]),
    ]
    assert counts(minute) == {"acknowledged": 1, "reported": 1, "unexpected": 3}


def test_an_invented_row_of_a_report_is_told(world, row):
    world.message(0, 1)
    world.reported[0].append(row(0, 1, 3, 90))

    minute = world.minute(0)

    assert problems(minute) == [("reported-without-message", 1, [(3, 3)])]


def test_a_row_with_another_event_than_its_message_is_told(world):
    good = world.message(0, 1)
    world.stored[:] = [replace(good, event=2)]

    assert problems(world.minute(0)) == [("other-event", 0, [(0, 0)])]


def test_a_row_in_another_minute_than_its_message_is_told(world):
    moved = world.message(0, 1)
    world.stored[:] = [replace(moved, minute=1)]

    account = world.account()

    assert problems(account.minutes[0]) == [("not-stored", 0, [(0, 0)])]
    assert problems(account.minutes[1]) == [("row-without-message", 0, [(0, 0)])]


def test_a_row_that_is_stored_twice_is_no_problem(world):
    world.stored.append(world.message(0, 1))

    assert world.account().adds_up


def test_what_came_meanwhile_is_not_part_of_the_account(world, row):
    world.message(0, 1)
    world.stored += [row(0, 0, 1, 50), row(0, 0, 2, 51)]
    world.ends_later[0] = 1

    minute = world.minute(0)

    assert counts(minute) == {"acknowledged": 1, "reported": 1, "unexpected": 1}
    assert problems(minute) == [("row-without-message", 0, [(2, 2)])]


def test_messages_before_the_first_by_kafkas_time_are_found_through_their_rows(world):
    for event in range(4):
        world.message(0, event)
    world.starts_at[0] = 3

    account = world.account()

    assert account.adds_up
    assert counts(account.minutes[0]) == {"acknowledged": 4, "reported": 4}


def test_a_range_that_kafka_has_not_kept_whole_can_not_be_checked(world):
    for event in range(9):
        world.message(event // 3, event)
    world.lows[0] = world.starts_at[0] = 4

    with pytest.raises(UncheckableError, match="from 2026-11-22T10:02Z on"):
        world.account()


def test_a_row_whose_message_kafka_has_removed_makes_its_minute_uncheckable(world, row):
    world.message(-1, 1)  # before the range, so that the range itself seems whole
    world.message(0, 2)
    world.lows[0] = world.starts_at[0] = 1
    world.messages[1] = replace(world.messages[1], minute=-1)  # a replay of older events
    world.stored.append(row(1, 0, 0, 3))

    with pytest.raises(UncheckableError, match="from 2026-11-22T10:02Z on"):
        world.account()


FATES = ("reported", "duplicate", "late", "dead", "pending", "unstored", "overdue")


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1), st.sampled_from(FATES)), max_size=60), st.data())
def test_groups_are_disjoint_and_sum_whatever_became_of_the_messages(make_world, fates, data):
    world = make_world(now=10_000)
    expected = dict.fromkeys(GROUPS, 0)
    counted = []
    for event, (minute, partition, fate) in enumerate(fates):
        if fate == "duplicate" and not counted:
            fate = "reported"  # noqa: PLW2901
        if fate == "reported":
            counted.append(event)
        twin = data.draw(st.sampled_from(counted)) if fate == "duplicate" else event
        stored = fate not in {"dead", "unstored"}
        row = world.message(minute, twin, partition, store=stored, report=fate == "reported")
        if fate == "late":
            world.ledger.append(row)
        if fate == "dead":
            world.dead.append((partition, row.offset))
        if fate == "pending":
            world.stored[-1] = replace(row, arrived=world.now - 1)
        group = {"duplicate": "duplicates", "dead": "dead_lettered", "unstored": "missing", "overdue": "missing"}
        expected[group.get(fate, fate)] += 1

    account = world.account()

    assert {name: getattr(account.totals, name) for name in GROUPS} == expected
    assert account.totals.acknowledged == len(fates)
    assert account.totals.unexpected == 0
    assert account.adds_up == (expected["missing"] == 0)
    found = {
        (problem.partition, offset)
        for minute in account.minutes
        for problem in minute.problems
        for first, last in problem.offsets
        for offset in range(first, last + 1)
    }
    lost = {"unstored", "overdue"}
    places: dict[int, int] = {}
    wanted = set()
    for _, partition, fate in fates:
        offset = places.get(partition, 0)
        places[partition] = offset + 1
        wanted |= {(partition, offset)} if fate in lost else set()
    assert found == wanted
