"""What may go: never what a kept report names, nothing of the minutes that are still revised, and all that is left."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickpulse.objects import WindowObjects
from clickpulse.retention.plan import Counting, Reason, Rules, StoredObject, WindowFiles, by_window, plan, to_read
from clickpulse.windows import MINUTE, MinuteWindow

NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)
DAY = timedelta(days=1)
RULES = Rules(minutes=30 * DAY, old_revisions=7 * DAY, reports=400 * DAY, protected=1500 * MINUTE)


def stored(key: str, days_ago: float) -> StoredObject:
    return StoredObject(key, 100, NOW - days_ago * DAY)


def objects(window: MinuteWindow, revision: int, days_ago: float, *, only: str = "") -> list[StoredObject]:
    """The objects of a revision, written at one time."""
    names = WindowObjects(window, revision)
    keys = [names.manifest, names.events, names.baseline, names.report]
    return [stored(key, days_ago) for key in keys if only in key]


def minute(days_ago: float) -> MinuteWindow:
    return MinuteWindow.containing(NOW - days_ago * DAY)


def files(*groups: list[StoredObject]) -> WindowFiles:
    (found,) = by_window([one for group in groups for one in group])
    return found


def removed(
    group: WindowFiles, counting: Counting | None = None, inputs: Mapping[int, set[str]] | None = None
) -> dict[str, Reason]:
    return {one.key: one.reason for one in plan(group, counting, inputs or {}, RULES, NOW)}


def own(window: MinuteWindow, revision: int) -> set[str]:
    """What the report of a revision names that has files of its own."""
    names = WindowObjects(window, revision)
    return {names.events, names.baseline}


def test_a_fresh_minute_and_one_of_some_days_keep_everything() -> None:
    for days in (0.1, 1, 6, 29):
        window = minute(days)
        assert removed(files(objects(window, 0, days)), Counting(0, NOW - days * DAY)) == {}


def test_minute_files_go_after_their_time_and_the_report_stays() -> None:
    window = minute(31)
    names = WindowObjects(window, 0)

    gone = removed(files(objects(window, 0, 30.5)), Counting(0, NOW - 30.5 * DAY))

    assert gone == dict.fromkeys([names.manifest, names.events, names.baseline], Reason.MINUTES)


def test_reports_go_after_theirs() -> None:
    window = minute(401)
    group = files(objects(window, 0, 400.5, only="report"))

    assert removed(group) == {WindowObjects(window, 0).report: Reason.REPORTS}


def test_the_minutes_of_a_replay_count_from_when_they_were_written() -> None:
    window = MinuteWindow.parse("2019-03-01T12:00Z")

    assert removed(files(objects(window, 0, 1))) == {}
    assert removed(files(objects(window, 0, 31)))


def test_an_old_revision_goes_when_another_has_counted_for_long_enough() -> None:
    """Its report stays as long as the later one can be made again, which tells what differs; so does its manifest."""
    window = minute(20)
    group = files(objects(window, 0, 20), objects(window, 1, 9))
    inputs = {1: own(window, 1)}

    assert removed(group, Counting(1, NOW - 6.9 * DAY), inputs) == {}
    assert removed(group, Counting(1, NOW - 7.1 * DAY), inputs) == dict.fromkeys(own(window, 0), Reason.OLD_REVISIONS)


def test_of_several_old_revisions_the_last_ones_report_stays() -> None:
    window = minute(20)
    group = files(*(objects(window, revision, 20 - revision) for revision in range(4)))

    gone = removed(group, Counting(3, NOW - 17 * DAY), {3: own(window, 3)})

    reports = {WindowObjects(window, revision).report for revision in (0, 1)}
    assert set(gone) == reports | own(window, 0) | own(window, 1) | own(window, 2)


def test_old_reports_go_with_the_minute_files_at_last() -> None:
    window = minute(40)
    group = files(objects(window, 0, 39), objects(window, 1, 38))

    gone = removed(group, Counting(1, NOW - 38 * DAY))

    assert set(gone) == {one.key for one in [*objects(window, 0, 39), *objects(window, 1, 38)]} - {
        WindowObjects(window, 1).report
    }


def test_what_a_revision_scored_anew_was_made_of_stays() -> None:
    """Revisions 1 and 2 are reports on the events of revision 0."""
    window = minute(20)
    anew = (
        objects(window, revision, 10, only="report") + objects(window, revision, 10, only="manifest")
        for revision in (1, 2)
    )
    group = files(objects(window, 0, 20), *anew)

    assert removed(group, Counting(1, NOW - 10 * DAY), {1: own(window, 0), 2: own(window, 0)}) == {}
    gone = removed(group, Counting(2, NOW - 10 * DAY), {2: own(window, 0)})
    assert gone == {WindowObjects(window, 0).report: Reason.OLD_REVISIONS}


def test_what_is_named_stays_while_the_youngest_report_is_young() -> None:
    """Its own 40 days don't count: the report that names it is of yesterday."""
    window = minute(41)
    group = files(objects(window, 0, 40), objects(window, 1, 1, only="report"))

    assert removed(group, Counting(1, NOW - DAY), {1: own(window, 0)}) == {}


def test_a_later_revision_that_is_not_in_the_api_yet_protects_too() -> None:
    window = minute(20)
    group = files(objects(window, 0, 20), objects(window, 1, 19), objects(window, 2, 0.01, only="report"))
    counting = Counting(1, NOW - 19 * DAY)

    assert to_read(group, counting, RULES, NOW) == [1, 2]
    assert removed(group, counting, {1: own(window, 1), 2: own(window, 0)}) == {}
    assert set(removed(group, counting, {1: own(window, 1), 2: own(window, 1)})) == own(window, 0)


@pytest.mark.parametrize("inputs", [{}, {1: own(minute(20), 1)}])
def test_where_a_kept_report_can_not_be_read_nothing_is_old(inputs: dict[int, set[str]]) -> None:
    window = minute(20)
    group = files(objects(window, 0, 20), objects(window, 1, 19), objects(window, 2, 18))

    assert removed(group, Counting(2, NOW - 18 * DAY), inputs) == {}


def test_without_a_report_in_the_api_no_revision_is_old() -> None:
    window = minute(20)

    assert removed(files(objects(window, 0, 20), objects(window, 1, 19))) == {}


def test_objects_of_other_names_are_left_alone() -> None:
    window = minute(1000)
    odd = ["minutes/readme.txt", "reports/date=2020-01-01/x", "other/date=2020-01-01/hour=00/minute=00/rev=0/a"]

    assert by_window([stored(key, 1000) for key in odd]) == []
    (group,) = by_window([*[stored(key, 1000) for key in odd], *objects(window, 0, 1000)])
    assert set(removed(group)).isdisjoint(odd)


def test_a_manifest_goes_after_the_events_it_is_the_cutoff_of() -> None:
    window = minute(40)
    order = [one.key for one in plan(files(objects(window, 0, 35)), None, {}, RULES, NOW)]

    assert order.index(WindowObjects(window, 0).manifest) > order.index(WindowObjects(window, 0).events)


@st.composite
def minutes(draw: st.DrawFn) -> tuple[WindowFiles, Counting | None, dict[int, set[str]]]:
    """Any minute: revisions with files of their own or made of an earlier one's, some with parts missing."""
    age = draw(st.floats(0, 500))
    window = minute(age)
    group: list[StoredObject] = []
    inputs: dict[int, set[str]] = {}
    for revision in sorted(draw(st.sets(st.integers(0, 4), min_size=1))):
        written = draw(st.floats(0, age))
        scored_anew = bool(inputs) and draw(st.booleans())
        made_of = inputs[draw(st.sampled_from(sorted(inputs)))] if scored_anew else own(window, revision)
        parts = objects(window, revision, written)
        if scored_anew:
            parts = [one for one in parts if one.key not in own(window, revision)]
        unfinished = draw(st.integers(0, 9)) == 0
        if unfinished:
            parts = [one for one in parts if "report" not in one.key] or parts
        group += parts
        if any("report" in one.key for one in parts):
            inputs[revision] = made_of
    counting = None
    if inputs and draw(st.integers(0, 9)):
        counting = Counting(draw(st.sampled_from(sorted(inputs))), NOW - draw(st.floats(0, age)) * DAY)
    return files(group), counting, inputs


def kept_reports(group: WindowFiles, counting: Counting | None, gone: Mapping[str, Reason]) -> list[int]:
    """The revisions that count, or may come to count, and have a report after the plan was carried out."""
    first = counting.revision if counting else 0
    return [
        revision
        for revision in group.reports
        if revision >= first and WindowObjects(group.window, revision).report not in gone
    ]


@given(minutes())
def test_nothing_that_a_kept_report_names_goes_before_its_time(
    made: tuple[WindowFiles, Counting | None, dict[int, set[str]]],
) -> None:
    group, counting, inputs = made
    gone = removed(group, counting, inputs)

    for revision in kept_reports(group, counting, gone):
        written = max(one.modified for one in group.reports[revision])
        if NOW - written <= RULES.minutes:
            assert not set(gone) & inputs[revision]
            assert WindowObjects(group.window, revision - 1).report not in gone
            assert not any(key.endswith("/manifest.json") for key in gone)


@given(minutes())
def test_nothing_goes_within_the_horizon(made: tuple[WindowFiles, Counting | None, dict[int, set[str]]]) -> None:
    group, counting, inputs = made

    if NOW - group.window.end < RULES.protected:
        assert removed(group, counting, inputs) == {}


@given(minutes())
def test_the_report_that_counts_stays_as_long_as_reports_do(
    made: tuple[WindowFiles, Counting | None, dict[int, set[str]]],
) -> None:
    group, counting, inputs = made
    gone = removed(group, counting, inputs)

    if counting and NOW - counting.received_at <= RULES.reports:
        assert WindowObjects(group.window, counting.revision).report not in gone


@given(minutes())
def test_what_is_old_and_not_needed_goes(made: tuple[WindowFiles, Counting | None, dict[int, set[str]]]) -> None:
    group, counting, inputs = made
    gone = removed(group, counting, inputs)
    present = {one.key for groups in (group.minutes, group.reports) for held in groups.values() for one in held}
    ages = [NOW - one.modified for groups in (group.minutes, group.reports) for held in groups.values() for one in held]
    youngest = min([*ages, NOW - group.window.end, *([NOW - counting.received_at] if counting else [])])

    assert set(gone) <= present
    if youngest > RULES.minutes:
        assert not any(key.startswith("minutes/") for key in present - set(gone))
    if youngest > RULES.reports:
        assert set(gone) == present
    readable = counting is not None and set(to_read(group, counting, RULES, NOW)) <= set(inputs)
    if readable and counting and NOW - counting.received_at >= RULES.old_revisions:
        needed = {key for revision in inputs if revision >= counting.revision for key in inputs[revision]}
        for revision in group.revisions:
            if revision < counting.revision and NOW - group.window.end >= RULES.protected:
                assert present & own(group.window, revision) - needed <= set(gone)
                if revision < counting.revision - 1:
                    assert WindowObjects(group.window, revision).report not in present - set(gone)


@given(minutes())
def test_a_second_plan_after_the_first_finds_nothing(
    made: tuple[WindowFiles, Counting | None, dict[int, set[str]]],
) -> None:
    group, counting, inputs = made
    gone = removed(group, counting, inputs)
    left = [
        one for groups in (group.minutes, group.reports) for held in groups.values() for one in held
        if one.key not in gone
    ]  # fmt: skip

    for again in by_window(left):
        # The youngest object may be gone; what is left is then older than it seemed, and may go only by its own age.
        later = removed(again, counting, inputs)
        assert not later or again.youngest < group.youngest
