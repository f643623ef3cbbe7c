from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from producer.pacing import MAX_CATCH_UP_MS, MAX_LAG_MS, Pacer


class Clock:
    def __init__(self) -> None:
        self.ms = 1_000_000.0

    def __call__(self) -> float:
        return self.ms


def test_on_schedule_the_stamp_is_the_scheduled_time():
    clock = Clock()
    pacer = Pacer(clock.ms, now_ms=clock)
    assert pacer.ahead_ms(250) == 250
    clock.ms += 260  # woken up late
    assert pacer.ahead_ms(250) == -10
    assert pacer.stamp(250) == 1_000_250


def test_there_is_no_drift():
    clock = Clock()
    pacer = Pacer(clock.ms, now_ms=clock)
    for number in range(1, 100_001):
        offset = number * 10
        while (ahead := pacer.ahead_ms(offset)) > 0:
            clock.ms += ahead + 3  # each sleep takes 3 ms too long
    assert 0 <= clock.ms - (1_000_000 + 1_000_000) <= 3


def test_a_short_stall_is_made_up_for_with_times_close_to_now():
    clock = Clock()
    pacer = Pacer(clock.ms, now_ms=clock)
    clock.ms += 2_000
    assert pacer.ahead_ms(100) < 0
    assert pacer.stamp(100) == clock.ms - MAX_LAG_MS
    assert pacer.ahead_ms(1_900) < 0
    assert pacer.stamp(1_900) == 1_001_900


def test_a_long_stall_is_left_out():
    clock = Clock()
    pacer = Pacer(clock.ms, now_ms=clock)
    clock.ms += 8 * 3600 * 1000
    assert pacer.ahead_ms(10) == 0
    assert pacer.stamp(10) == clock.ms
    assert pacer.ahead_ms(1_010) == 1_000


@given(st.lists(st.tuples(st.floats(0, 3000), st.floats(-500, 2 * MAX_CATCH_UP_MS)), max_size=60))
def test_stamps_never_go_back_and_are_never_far_behind(steps):
    clock = Clock()
    pacer = Pacer(clock.ms, now_ms=clock)
    offset, stamps = 0.0, []
    for gap, drift in steps:
        offset += gap
        while (ahead := pacer.ahead_ms(offset)) > 0:
            clock.ms += ahead
        clock.ms += drift
        pacer.ahead_ms(offset)
        stamps.append(pacer.stamp(offset))
        assert stamps[-1] >= clock.ms - MAX_LAG_MS - 1
    assert all(before <= after for before, after in pairwise(stamps))
