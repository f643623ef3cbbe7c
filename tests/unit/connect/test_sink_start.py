"""Where reading starts: nothing lost, nothing stored twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickpulse.completeness import PartitionView
from connect.sink.patience import Patience
from connect.sink.start import find_start, start_offset
from connect.sink.status import Status


def view(low: int, end: int, committed: int | None) -> PartitionView:
    return PartitionView(first_after=None, end=end, committed=committed, low=low)


@pytest.mark.parametrize(
    ("kafka", "stored", "expected"),
    [
        pytest.param(view(0, 100, None), None, 0, id="first start"),
        pytest.param(view(30, 100, None), None, 30, id="first start, the beginning was deleted"),
        pytest.param(view(0, 100, 40), 39, 40, id="stopped cleanly"),
        pytest.param(view(0, 100, 40), 69, 70, id="killed between insert and commit"),
        pytest.param(view(0, 100, None), 69, 70, id="killed before the first commit"),
        pytest.param(view(0, 100, 40), 30, 40, id="the last messages before the commit were dead letters"),
        pytest.param(view(0, 100, 40), 99, 100, id="everything is stored"),
        pytest.param(view(0, 100, 40), 100, 40, id="stored past the end: another topic's positions"),
        pytest.param(view(0, 100, 140), 139, 0, id="the topic was made anew"),
        pytest.param(view(60, 100, 40), 39, 60, id="retention deleted what was not read"),
    ],
)
def test_start_offset(kafka: PartitionView, stored: int | None, expected: int) -> None:
    assert start_offset(0, kafka, stored) == expected


@given(st.integers(0, 50), st.integers(0, 50), st.data(), st.integers(-1, 120))
def test_nothing_unread_is_skipped(low: int, length: int, data: st.DataObject, stored: int) -> None:
    committed = data.draw(st.integers(low, low + length))
    start = start_offset(0, view(low, low + length, committed), None if stored < 0 else stored)
    assert committed <= start <= max(committed, stored + 1)
    assert start <= low + length


def test_every_assigned_partition_gets_a_start() -> None:
    views = {0: view(0, 10, 5), 1: view(0, 10, None), 2: view(0, 10, 1)}
    starts = find_start([0, 1], Patience(Status()), stored_positions=lambda: {0: 7}, look=lambda: views)
    assert starts == {0: 8, 1: 0}
