"""The benchmark's arithmetic, and that it refuses figures of reports that are wrong."""

from __future__ import annotations

import itertools
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.freshness import Traffic, _compare
from bench.measurements import percentile
from clickpulse.errors import ClickpulseError
from clickpulse.stored_reports import StoredReport
from clickpulse.windows import MinuteWindow
from dashboard_api.example_report import EXAMPLE_REPORT

values = st.lists(st.integers(0, 1000), min_size=2, max_size=50)


@given(values)
def test_the_median_is_the_50th_percentile(numbers: list[int]) -> None:
    assert percentile(numbers, 50) == pytest.approx(statistics.median(numbers))


@given(values)
def test_percentiles_lie_between_the_extremes_and_grow(numbers: list[int]) -> None:
    found = [percentile(numbers, percent) for percent in (1, 50, 95, 99)]
    assert min(numbers) - 1e-9 <= found[0]
    assert all(low <= high + 1e-9 for low, high in itertools.pairwise(found))
    assert found[-1] <= max(numbers) + 1e-9


def test_a_report_that_differs_from_what_was_acknowledged_stops_the_benchmark() -> None:
    report = StoredReport.model_validate(
        EXAMPLE_REPORT | {"received_at": "2026-11-22T10:06:02Z", "freshness_seconds": 2.0}
    )
    window = MinuteWindow(report.window)
    exact = Traffic({str(window): report.totals.events}, window, window)
    _compare([report], exact)
    with pytest.raises(ClickpulseError, match="acknowledged"):
        _compare([report], Traffic({str(window): report.totals.events + 1}, window, window))
