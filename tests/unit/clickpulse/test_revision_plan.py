"""Which minutes get a revision, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from clickhouse.late import LateMinute
from clickpulse.completeness import WindowCompleteness
from clickpulse.revision_plan import Known, Published, due_windows, repairs, scored_anew
from clickpulse.windows import MinuteWindow

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LIMIT = 100


def minute(number: int) -> MinuteWindow:
    return MinuteWindow(NOON + timedelta(minutes=number))


def late(number: int, **types: int) -> LateMinute:
    return LateMinute(minute(number), sum(types.values()), types, NOON + timedelta(minutes=30, milliseconds=500))


def known(
    published: Mapping[int, Published],
    *,
    exported: Mapping[int, int] | None = None,
    late_minutes: Iterable[LateMinute] = (),
    now: datetime = NOON + timedelta(hours=1),
) -> Known:
    return Known(
        now=now,
        completeness_timeout=timedelta(seconds=120),
        published={minute(number): one for number, one in published.items()},
        exported={minute(number): revision for number, revision in (exported or {}).items()},
        late={one.window: one for one in late_minutes},
    )


def assess(*incomplete: int) -> object:
    """Everything is complete but these; the cutoff is always the same."""

    def look(windows: Sequence[MinuteWindow]) -> dict[MinuteWindow, WindowCompleteness]:
        behind = {minute(number) for number in incomplete}
        return {w: WindowCompleteness(w not in behind, "", {0: 5}, {0: 9}, {0: 9}, 0.0) for w in windows}

    return look


def made(known_now: Known, windows: range, *incomplete: int, limit: int = LIMIT) -> list[tuple[int, int, str | None]]:
    planned = repairs([minute(n) for n in windows], known_now, assess(*incomplete), limit=limit)  # type: ignore[arg-type]
    return [
        (round((one.revision.window.start - NOON).total_seconds() / 60), one.revision.number, one.revision.reason)
        for one in planned
    ]


def test_minutes_without_a_report_are_made_in_order() -> None:
    facts = known({1: Published(0, complete=True)})
    assert made(facts, range(4)) == [(0, 0, None), (2, 0, None), (3, 0, None)]
    assert made(facts, range(4), limit=2) == [(0, 0, None), (2, 0, None)]


def test_a_missing_minute_whose_events_are_not_there_waits_until_its_time_limit_is_over() -> None:
    soon, later = (known({}, now=minute(1).start + timedelta(seconds=after)) for after in (179, 181))
    assert made(soon, range(1), 0) == []
    assert made(later, range(1), 0) == [(0, 0, None)]


def test_an_incomplete_report_is_followed_once_the_minute_is_complete() -> None:
    facts = known({0: Published(2, complete=False), 1: Published(0, complete=False)})
    assert made(facts, range(2), 1) == [(0, 3, "the minute is complete now, and was not in revision 2")]


def test_late_events_make_the_next_revision_and_are_its_reason() -> None:
    facts = known(
        {0: Published(0, complete=True), 1: Published(4, complete=True)}, late_minutes=[late(1, PAYMENT=2, SEARCH=1)]
    )
    reason = "3 late events (PAYMENT 2, SEARCH 1), the last arrived at 2026-11-22T12:30:00.500Z"
    assert made(facts, range(2)) == [(1, 5, reason)]
    assert late(1, VIEW_PRODUCT=1).reason.startswith("1 late event (VIEW_PRODUCT 1),")


def test_what_was_exported_and_not_published_is_finished() -> None:
    facts = known({0: Published(0, complete=True), 1: Published(1, complete=True)}, exported={0: 1, 1: 1})
    assert made(facts, range(2)) == [(0, 1, "exported before, and not published")]


def test_scoring_anew_is_for_minutes_with_a_report() -> None:
    planned = scored_anew([minute(0), minute(1)], known({1: Published(3, complete=True)}), "a new rule")
    assert [(one.revision.window, one.revision.number, one.revision.scored_from, one.found) for one in planned] == [
        (minute(1), 4, 3, None)
    ]


@given(st.integers(0, 300), st.integers(1, 300), st.integers(0, 30_000))
def test_due_windows_are_those_that_ended(first: int, length: int, now_seconds: int) -> None:
    now = NOON + timedelta(seconds=now_seconds)
    start, end = minute(first).start, minute(first + length).start
    expected = [
        minute(number) for number in range(first, first + length) if minute(number).end + timedelta(seconds=45) <= now
    ]
    assert due_windows(start, end, now) == expected
