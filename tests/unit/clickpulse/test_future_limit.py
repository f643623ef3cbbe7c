"""How far ahead of the clock an event may be."""

from __future__ import annotations

import pytest

from clickpulse.future import FutureLimit, iso_of_ms

NOW_MS = 1_763_806_200_000
LIMIT = FutureLimit(300, lambda: NOW_MS)


@pytest.mark.parametrize("ahead_ms", [-10_000_000, 0, 299_999, 300_000])
def test_up_to_the_limit_nothing_is_wrong(ahead_ms: int) -> None:
    assert LIMIT.fault(NOW_MS + ahead_ms) == ""


def test_beyond_it_the_reason_names_both_times() -> None:
    assert LIMIT.latest_ms == NOW_MS + 300_000
    assert LIMIT.fault(NOW_MS + 5_400_000) == (
        "event_timestamp 2025-11-22T11:40:00.000Z is 5400 s ahead of the clock, 2025-11-22T10:10:00.000Z; "
        "SINK_MAX_FUTURE_SECONDS allows 300"
    )


def test_times_beyond_any_calendar_are_named_too() -> None:
    assert iso_of_ms(10**18) == f"{10**18} ms"
    assert f"{10**18} ms" in LIMIT.fault(10**18)
