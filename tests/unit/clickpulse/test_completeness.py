"""When a minute counts as complete, with a scripted broker and a clock that only moves when slept on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickpulse.completeness import PartitionView, WindowCompleteness, await_window
from clickpulse.errors import TransientError
from clickpulse.settings import ReportSettings
from clickpulse.windows import MinuteWindow

WINDOW = MinuteWindow.parse("2026-11-22T10:05Z")
END = WINDOW.end.timestamp()
SETTINGS = ReportSettings(idle_partition_seconds=1.5, completeness_timeout_seconds=20)


class FakeClock:
    def __init__(self, now: float) -> None:
        self.time = now

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.time += seconds


class Broker:
    """Answers with what `script` makes of the time; a look takes 10 ms."""

    def __init__(self, clock: FakeClock, script: Callable[[float], Mapping[int, PartitionView] | None]) -> None:
        self.clock = clock
        self.script = script
        self.looks: list[float] = []

    def look(self, end_ms: int) -> Mapping[int, PartitionView]:
        assert end_ms == END * 1000
        self.looks.append(self.clock.time)
        answer = self.script(self.clock.time - END)
        self.clock.time += 0.01
        if answer is None:
            raise TransientError("Kafka does not answer: refused")
        return answer


def wait(
    script: Callable[[float], Mapping[int, PartitionView] | None], *, start: float = 0.5
) -> tuple[WindowCompleteness, FakeClock]:
    """`start` and the script's times are seconds after the minute's end."""
    clock = FakeClock(END + start)
    result = await_window(Broker(clock, script), WINDOW, SETTINGS, clock)
    return result, clock


def test_returns_at_once_when_everything_is_there() -> None:
    result, clock = wait(lambda _: {0: PartitionView(90, 100, 100), 1: PartitionView(41, 50, 50)})
    assert result.complete
    assert clock.time - END == pytest.approx(0.51)
    assert result.cutoff == {0: 100, 1: 50}


def test_waits_for_the_sink_in_every_partition() -> None:
    def script(t: float) -> dict[int, PartitionView]:
        return {0: PartitionView(90, 100, 100), 1: PartitionView(41, 50, 50 if t >= 2 else 49)}

    result, clock = wait(script)
    assert result.complete
    assert 2 <= clock.time - END < 2.1


def test_what_was_in_the_partition_at_the_first_look_belongs_to_the_revision() -> None:
    """A second producer's events of the minute stand behind the first event after it."""

    def script(t: float) -> dict[int, PartitionView]:
        return {0: PartitionView(90, 95 if t < 1 else 200, 90 if t < 1 else 95 if t < 3 else 200)}

    result, clock = wait(script)
    assert result.targets == {0: 95}
    assert 1 <= clock.time - END < 1.1


def test_the_cutoff_is_what_is_committed_not_the_target() -> None:
    result, _ = wait(lambda _: {0: PartitionView(90, 95, 120)})
    assert result.targets == {0: 95}
    assert result.cutoff == result.committed == {0: 120}


def test_an_idle_partition_is_watched() -> None:
    result, clock = wait(lambda _: {0: PartitionView(None, 80, 80)}, start=0.2)
    assert result.complete
    assert result.targets == {0: 80}
    assert 1.5 <= clock.time - END < 1.6


def test_an_idle_partition_costs_nothing_long_after() -> None:
    result, clock = wait(lambda _: {0: PartitionView(None, 80, 80)}, start=3600)
    assert result.complete
    assert clock.time - END < 3600.05


def test_an_event_that_ends_the_idleness_sets_the_target() -> None:
    def script(t: float) -> dict[int, PartitionView]:
        return {0: PartitionView(None, 80, 80) if t < 1 else PartitionView(85, 86, 86)}

    result, clock = wait(script, start=0.2)
    assert result.targets == {0: 85}
    assert clock.time - END < 1.1


def test_a_late_event_in_an_idle_partition_is_still_waited_for() -> None:
    def script(t: float) -> dict[int, PartitionView]:
        return {0: PartitionView(None, 80 if t < 1 else 81, 80 if t < 2 else 81)}

    result, clock = wait(script, start=0.2)
    assert result.targets == {0: 81}
    assert 2 <= clock.time - END < 2.1


def test_an_error_starts_the_watch_anew() -> None:
    def script(t: float) -> dict[int, PartitionView] | None:
        return None if 1 <= t < 4 else {0: PartitionView(None, 80, 80)}

    result, clock = wait(script, start=0.2)
    assert result.complete
    assert 5.5 <= clock.time - END < 5.65


def test_an_error_does_not_delay_partitions_with_later_events() -> None:
    result, clock = wait(lambda t: None if t < 4 else {0: PartitionView(90, 100, 100)})
    assert result.complete
    assert 4 <= clock.time - END < 4.1


def test_called_too_early_it_waits_for_the_end_of_the_minute() -> None:
    result, clock = wait(lambda _: {0: PartitionView(90, 100, 100)}, start=-30)
    assert result.complete
    assert clock.time - END == pytest.approx(0.01)
    assert result.waited_seconds == pytest.approx(0.01)


def test_a_sink_that_lags_is_named() -> None:
    result, clock = wait(
        lambda _: {0: PartitionView(90, 100, 100), 1: PartitionView(41, 50, 12), 2: PartitionView(5, 6, None)}
    )
    assert not result.complete
    assert result.reason == "the sink lags: partition 1 at 12 of 50, partition 2 at 0 of 6"
    assert result.cutoff == {0: 100, 1: 12, 2: 0}
    assert 20.5 <= clock.time - END < 20.6


def test_a_broker_that_does_not_answer_is_the_reason() -> None:
    result, clock = wait(lambda _: None)
    assert not result.complete
    assert result.reason == "Kafka does not answer: refused"
    assert result.cutoff == {}
    assert 20.5 <= clock.time - END < 20.6


def test_an_empty_partition_without_a_commit_is_complete_once_it_counts_as_idle() -> None:
    result, _ = wait(lambda _: {0: PartitionView(None, 0, None)}, start=10)
    assert result.complete
    assert result.cutoff == {0: 0}


def test_a_partition_emptied_by_retention_needs_no_commit() -> None:
    result, _ = wait(lambda _: {0: PartitionView(None, 700, None, low=700)}, start=10)
    assert result.complete
    assert result.cutoff == {0: 700}


def test_polls_often_but_not_constantly() -> None:
    clock = FakeClock(END)
    broker = Broker(clock, lambda _: {0: PartitionView(90, 100, 0)})
    await_window(broker, WINDOW, SETTINGS, clock)
    gaps = [later - earlier for earlier, later in zip(broker.looks, broker.looks[1:], strict=False)]
    assert min(gaps) >= 0.05
    assert max(gaps) <= 0.1


@given(
    st.lists(
        st.tuples(st.one_of(st.none(), st.integers(0, 50)), st.integers(0, 50), st.integers(0, 50)),
        min_size=1,
        max_size=8,
    ),
    st.floats(0, 5),
)
def test_complete_means_every_target_is_reached(rows: list[tuple[int | None, int, int]], start: float) -> None:
    views = {n: PartitionView(first, max(end, (first or 0) + 1), done) for n, (first, end, done) in enumerate(rows)}
    result, _ = wait(lambda _: views, start=start)
    expected = all(view.committed is not None and view.committed >= view.end for view in views.values())
    assert result.complete == expected
    if result.complete:
        assert all(result.cutoff[n] >= result.targets[n] >= (view.first_after or 0) for n, view in views.items())
