"""Tallies, the summary file and the notice of outages."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickpulse.errors import ConfigurationError
from producer.outage import PAUSED_AFTER_SECONDS, Outage
from producer.summary import SummaryFile
from producer.tally import Tallies

TYPES = ["ADD_TO_CART", "CHECKOUT", "PAYMENT", "SEARCH", "VIEW_PRODUCT"]
FIRST_MINUTE = 29_396_765  # 2025-11-22T10:05Z


@given(st.lists(st.tuples(st.integers(0, 50), st.sampled_from(TYPES), st.booleans())), st.none() | st.integers(1, 10))
def test_every_acknowledged_event_is_counted_once(events, keep):
    failures = []
    tallies = Tallies(lambda error, message: failures.append((error, message)), keep_minutes=keep)
    for minute, event_type, acknowledged in sorted(events):
        tallies.of_minute(FIRST_MINUTE + minute)[event_type].delivered(None if acknowledged else "error", None)
    expected = [event_type for _, event_type, acknowledged in events if acknowledged]
    assert tallies.by_event_type() == {name: expected.count(name) for name in TYPES}
    assert tallies.acknowledged == len(expected)
    assert len(failures) == len(events) - len(expected)
    if keep is None:
        assert sum(sum(counts.values()) for _, counts in tallies.per_minute()) == len(expected)
    else:
        assert len(list(tallies.per_minute())) < 2 * keep + 1


def test_minutes_are_named_in_utc_and_in_order():
    tallies = Tallies(lambda *_: None)
    for minute, event_type in ((1, "SEARCH"), (0, "PAYMENT"), (0, "PAYMENT")):
        tallies.of_minute(FIRST_MINUTE + minute)[event_type].delivered(None, None)
    assert list(tallies.per_minute()) == [("2025-11-22T10:05Z", {"PAYMENT": 2}), ("2025-11-22T10:06Z", {"SEARCH": 1})]


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_the_summary_file_is_renewed_every_second(tmp_path):
    clock, counts = Clock(), {"generated": 0}
    file = SummaryFile(tmp_path / "summary.json", lambda: counts, monotonic=clock)
    seen = []
    for tenth in range(25):
        clock.seconds = tenth / 10
        counts["generated"] = tenth
        file.update()
        seen.append(json.loads((tmp_path / "summary.json").read_text())["generated"])
    assert sorted(set(seen)) == [0, 10, 20]
    assert [path.name for path in tmp_path.iterdir()] == ["summary.json"]


def test_a_summary_that_cannot_be_written_is_told(tmp_path):
    file = SummaryFile(tmp_path / "missing" / "summary.json", dict)
    with pytest.raises(ConfigurationError, match="missing"):
        file.write()


def test_an_outage_is_noticed_and_its_end():
    clock = Clock()
    outage = Outage(monotonic=clock)
    clock.seconds += 60  # it took a while until something was sent
    outage.watch(10, 100, "")
    outage.watch(10, 100, "")
    assert not outage.paused
    clock.seconds += PAUSED_AFTER_SECONDS + 1
    outage.watch(10, 100, "connection refused")
    assert outage.paused
    clock.seconds += 60
    outage.watch(10, 105, "")
    assert not outage.paused


def test_having_nothing_to_send_is_no_outage():
    clock = Clock()
    outage = Outage(monotonic=clock)
    for _ in range(10):
        clock.seconds += PAUSED_AFTER_SECONDS + 1
        outage.watch(0, 0, "")
        assert not outage.paused
    clock.seconds += PAUSED_AFTER_SECONDS + 1
    outage.watch(5, 0, "")
    assert not outage.paused
