"""When a replayed event is sent, what time it gets, and its identity."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickpulse.errors import ConfigurationError
from producer.replay import event_id
from producer.timeline import Anchor, Timeline, parse_at, parse_speed

NOW = 1_795_341_600_000
FIRST = 1_506_826_800_026


def timeline(at: str, speed: float, start=NOW) -> Timeline:
    return Timeline(parse_at(at, start), speed, FIRST, start)


def test_now_divides_the_intervals_by_the_speed():
    line = timeline("now", 60)
    assert line.event_ms(FIRST) == NOW
    assert line.event_ms(FIRST + 60_000) == NOW + 1000
    assert line.send_offset_ms(FIRST + 60_000) == 1000


def test_now_as_fast_as_possible_stamps_with_the_moment():
    line = timeline("now", inf)
    assert line.event_ms(FIRST + 60_000) is None
    assert line.send_offset_ms(FIRST + 60_000) == 0


def test_original_keeps_the_times_at_any_speed():
    for speed in (0.5, 1, 60, inf):
        assert timeline("original", speed).event_ms(FIRST + 60_000) == FIRST + 60_000
    assert timeline("original", 60).send_offset_ms(FIRST + 60_000) == 1000
    assert timeline("original", inf).send_offset_ms(FIRST + 60_000) <= 0


def test_a_time_moves_all_events_alike():
    line = timeline("2020-01-01T00:00Z", 60)
    assert line.event_ms(FIRST) == 1_577_836_800_000
    assert line.event_ms(FIRST + 60_000) == 1_577_836_860_000
    assert line.send_offset_ms(FIRST + 60_000) == 1000


def test_a_time_in_the_future_is_waited_for():
    line = timeline("2030-01-01T00:00Z", inf)
    assert NOW + line.send_offset_ms(FIRST + 5000) == line.event_ms(FIRST + 5000)


@given(
    at=st.sampled_from(["now", "original", "2020-01-01T00:00Z", "2030-01-01T00:00Z"]),
    speed=st.floats(0.01, 10_000) | st.just(inf),
    elapsed=st.lists(st.integers(0, 10**9), min_size=2, max_size=20).map(sorted),
)
def test_no_event_is_sent_before_its_time_and_the_order_stays(at, speed, elapsed):
    line = timeline(at, speed)
    times = [line.event_ms(FIRST + ms) for ms in elapsed]
    offsets = [line.send_offset_ms(FIRST + ms) for ms in elapsed]
    assert offsets == sorted(offsets)
    if None not in times:
        assert times == sorted(times)
        assert all(time <= NOW + offset + 1 for time, offset in zip(times, offsets, strict=True))


@pytest.mark.parametrize("text", ["tomorrow", "2026-11-22", "2026-11-22T10:05"])
def test_a_wrong_at_is_told(text):
    with pytest.raises(ConfigurationError, match=f"--at '{text}'"):
        parse_at(text, NOW)


@pytest.mark.parametrize("text", ["fast", "0", "-1", "nan", "inf"])
def test_a_wrong_speed_is_told(text):
    with pytest.raises(ConfigurationError, match=f"--speed '{text}'"):
        parse_speed(text)


@pytest.mark.parametrize(("text", "speed"), [("1", 1), ("60", 60), ("0.5", 0.5), ("10x", 10), ("max", inf)])
def test_speeds(text, speed):
    assert parse_speed(text) == speed


def test_ids_are_the_same_for_the_same_line_at_the_same_time_only():
    original, moved = Anchor("original", None), Anchor("x", NOW)
    assert event_id("m", "a.csv", 2, original) == event_id("m", "a.csv", 2, original)
    variants = {
        event_id("m", "a.csv", 2, original),
        event_id("n", "a.csv", 2, original),
        event_id("m", "b.csv", 2, original),
        event_id("m", "a.csv", 3, original),
        event_id("m", "a.csv", 2, moved),
        event_id("m", "a.csv", 2, Anchor("x", NOW + 1)),
    }
    assert len(variants) == 6
