"""Minutes in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickpulse.errors import ConfigurationError
from clickpulse.objects import WindowObjects
from clickpulse.windows import MINUTE, MinuteWindow, minutes_between

moments = st.datetimes(
    min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])  # noqa: DTZ001, E501
)  # fmt: skip


@given(moments)
def test_each_moment_is_in_exactly_one_window(moment: datetime) -> None:
    window = MinuteWindow.containing(moment)
    assert window.start <= moment < window.end
    assert window.end - window.start == MINUTE
    assert MinuteWindow.containing(window.start) == window
    assert MinuteWindow.containing(window.end) != window


@given(moments)
def test_text_reads_back(moment: datetime) -> None:
    window = MinuteWindow.containing(moment)
    assert MinuteWindow.parse(str(window)) == window


@given(moments, st.integers(0, 200))
def test_ranges_have_every_minute_once(moment: datetime, count: int) -> None:
    first = MinuteWindow.containing(moment)
    last = MinuteWindow(first.start + count * MINUTE)
    windows = list(minutes_between(first, last))
    assert len(windows) == len(set(windows)) == count + 1
    assert (windows[0], windows[-1]) == (first, last)


def test_offsets_are_brought_to_utc() -> None:
    assert str(MinuteWindow.parse("2026-11-22T11:05+01:00")) == "2026-11-22T10:05Z"


@pytest.mark.parametrize("text", ["2026-11-22T10:05", "yesterday", "2026-11-22T10:05:30Z", ""])
def test_what_is_no_minute_is_refused_with_the_value(text: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        MinuteWindow.parse(text)
    assert text in str(refused.value) or "2026-11-22T10:05:30" in str(refused.value)


def test_object_names_are_hive_partitions() -> None:
    objects = WindowObjects(MinuteWindow.parse("2026-11-02T04:05Z"), revision=3)
    assert objects.events == "minutes/date=2026-11-02/hour=04/minute=05/rev=3/events.parquet"
    assert objects.report == "reports/date=2026-11-02/hour=04/minute=05/rev=3/report.json"
