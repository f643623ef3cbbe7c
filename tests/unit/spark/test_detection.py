"""The first detection rule: what it must see, what it must leave alone, and that it stays a function."""

from __future__ import annotations

import math
import random
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickpulse.events import EventType
from clickpulse.reports import EventTypeStats, LatencyStats
from clickpulse.windows import MinuteWindow
from spark.detection import BaselineMinute, RuleParameters, detect

WINDOW = MinuteWindow.parse("2026-11-22T10:05Z")


def stats(events: int, errors: int = 0, p95: float = 200.0) -> EventTypeStats:
    latency = LatencyStats(mean=p95 / 2, p50=p95 / 3, p90=p95 * 0.9, p95=p95, p99=p95 * 2, max=p95 * 3)
    return EventTypeStats(
        events=events,
        successes=events - errors,
        errors=errors,
        success_rate=(events - errors) / events if events else None,
        error_rate=errors / events if events else None,
        error_codes={"503": errors} if errors else {},
        latency_ms=latency if events else None,
    )


def past(
    minutes: int = 30, *, events: int = 1000, errors: int = 20, p95: float = 200.0, ends: int = 1, kind: str = "PAYMENT"
) -> list[BaselineMinute]:
    """A steady past whose last minute is `ends` minutes before the window."""
    return [
        BaselineMinute(WINDOW.start - timedelta(minutes=ago), EventType(kind), events, errors, p95)
        for ago in range(ends, ends + minutes)
    ]


def found(current: EventTypeStats, baseline: list[BaselineMinute], **options: bool) -> set[tuple[str, str, str]]:
    anomalies = detect(WINDOW, {EventType.PAYMENT: current}, baseline, **options).anomalies
    return {(anomaly.metric, anomaly.direction, anomaly.severity) for anomaly in anomalies}


def test_usual_minute_is_no_anomaly() -> None:
    assert found(stats(1010, 21, 205), past()) == set()


@pytest.mark.parametrize(
    ("current", "expected"),
    [
        (stats(1000, 60), {("error_rate", "high", "warning")}),
        (stats(1000, 400), {("error_rate", "high", "critical")}),
        (stats(1000, 20, p95=320), {("latency_p95_ms", "high", "warning")}),
        (stats(1000, 20, p95=2000), {("latency_p95_ms", "high", "critical")}),
        (stats(300, 6), {("events", "low", "warning")}),
        (stats(0), {("events", "low", "critical")}),
        (stats(1700, 34), {("events", "high", "warning")}),
        (stats(5000, 100), {("events", "high", "critical")}),
        (stats(1000, 0, p95=20), set()),
    ],
)
def test_each_metric_alone(current: EventTypeStats, expected: set[tuple[str, str, str]]) -> None:
    assert found(current, past()) == expected


def test_anomaly_tells_value_expectation_and_bounds() -> None:
    anomaly = detect(WINDOW, {EventType.PAYMENT: stats(1000, 400)}, past()).anomalies[0]
    usual = (29 * 20 + 0.5) / (29 * 1000 + 1)  # the first of the 30 minutes may be partial
    tolerated = usual + 0.01
    upper = tolerated + 4 * math.sqrt(tolerated * (1 - tolerated) / 1000)
    assert anomaly.value == pytest.approx(0.4)
    assert anomaly.expected == pytest.approx(usual, abs=1e-6)
    assert anomaly.upper == pytest.approx(upper, abs=1e-6)
    assert anomaly.score == pytest.approx((0.4 - usual) / math.sqrt(usual * (1 - usual) / 1000), abs=1e-5)
    assert anomaly.message.startswith("PAYMENT: error rate 40.0% (400 of 1000 events), usually 2.0%")


def test_error_rate_bound_is_the_score_test_that_wilson_inverts() -> None:
    """A rate is anomalous exactly when Wilson's lower end lies above baseline plus margin."""
    z, events = 4.0, 500
    tolerated = (29 * 20 + 0.5) / (29 * 1000 + 1) + 0.01
    for errors in range(5, 100):
        rate = errors / events
        centre = rate + z * z / (2 * events)
        half = z * math.sqrt(rate * (1 - rate) / events + z * z / (4 * events**2))
        lower = (centre - half) / (1 + z * z / events)
        kinds = {metric for metric, _, _ in found(stats(events, errors), past())}
        assert ("error_rate" in kinds) == (lower > tolerated), errors


def test_few_events_with_an_error_or_two_are_no_anomaly() -> None:
    assert found(stats(12, 3), past(events=12, errors=0)) == set()


def test_short_baseline_judges_nothing() -> None:
    detection = detect(WINDOW, {EventType.PAYMENT: stats(1000, 999, 9999)}, past(5))
    assert detection.anomalies == []
    assert detection.detector.baseline_minutes == 4, "the first minute may be partial"


def test_partial_first_minute_after_a_pause_is_no_drop() -> None:
    assert found(stats(200, 4), past(ends=3)) == set()


def test_error_rate_is_judged_in_the_first_minute_after_a_pause() -> None:
    assert found(stats(200, 100), past(ends=3)) == {("error_rate", "high", "critical")}


def test_silence_is_reported_as_long_as_it_lasts() -> None:
    assert found(stats(0), past(ends=1)) == {("events", "low", "critical")}
    assert found(stats(0), past(ends=7)) == {("events", "low", "critical")}


def test_volume_of_an_incomplete_minute_is_not_judged() -> None:
    assert found(stats(100, 2), past(), partial=True) == set()
    assert found(stats(100, 50), past(), partial=True) == {("error_rate", "high", "critical")}


def test_one_earlier_incident_does_not_hide_the_next() -> None:
    baseline = past(30)
    baseline[10:14] = [
        BaselineMinute(row.minute, row.event_type, row.events, row.errors, 5000.0) for row in baseline[10:14]
    ]
    assert ("latency_p95_ms", "high", "critical") in found(stats(1000, 20, p95=1500), baseline)


def test_events_of_a_type_never_seen_are_high_volume() -> None:
    assert found(stats(500), past(kind="SEARCH")) == {("events", "high", "critical")}


@given(st.randoms(use_true_random=False))
def test_order_and_later_minutes_change_nothing(shuffler: random.Random) -> None:
    baseline = past(20)
    current = {EventType.PAYMENT: stats(1000, 300)}
    expected = detect(WINDOW, current, baseline)
    later = [BaselineMinute(WINDOW.start + timedelta(minutes=n), EventType.PAYMENT, 9, 9, 9.0) for n in range(5)]
    mixed = baseline + later
    shuffler.shuffle(mixed)
    assert detect(WINDOW, current, mixed) == expected


@given(
    events=st.integers(0, 5000),
    share=st.floats(0, 1),
    p95=st.floats(1, 60_000),
    usual_events=st.integers(0, 5000),
    usual_share=st.floats(0, 1),
    usual_p95=st.floats(1, 60_000),
    minutes=st.integers(0, 20),
)
def test_every_anomaly_lies_outside_its_bounds(
    events: int, share: float, p95: float, usual_events: int, usual_share: float, usual_p95: float, minutes: int
) -> None:
    current = stats(events, int(events * share), p95)
    baseline = past(minutes, events=usual_events, errors=int(usual_events * usual_share), p95=usual_p95)
    detection = detect(WINDOW, {EventType.PAYMENT: current}, baseline)
    if detection.detector.baseline_minutes < RuleParameters().minimum_minutes:
        assert detection.anomalies == []
    for anomaly in detection.anomalies:
        if anomaly.direction == "high":
            assert anomaly.upper is not None
            assert anomaly.value > anomaly.upper > anomaly.expected
            assert anomaly.score > 0
        else:
            assert anomaly.lower is not None
            assert anomaly.value < anomaly.lower < anomaly.expected
            assert anomaly.score < 0


@given(more=st.integers(0, 990))
def test_more_errors_never_make_it_less_anomalous(more: int) -> None:
    worse = found(stats(1000, min(10 + more + 1, 1000)), past())
    if ("error_rate", "high", "critical") in found(stats(1000, 10 + more), past()):
        assert ("error_rate", "high", "critical") in worse


def test_steady_random_traffic_does_not_alarm() -> None:
    """Five hours of ordinary minutes with binomial errors and varying volume: no false alarm."""
    source = random.Random(7)
    alarms = 0
    for _ in range(300):
        baseline = [
            BaselineMinute(
                WINDOW.start - timedelta(minutes=ago),
                EventType.PAYMENT,
                events := max(0, round(source.gauss(300, 20))),
                sum(source.random() < 0.03 for _ in range(events)),
                source.gauss(200, 12),
            )
            for ago in range(1, 13)
        ]
        events = round(source.gauss(300, 20))
        errors = sum(source.random() < 0.03 for _ in range(events))
        alarms += len(found(stats(events, errors, source.gauss(200, 12)), baseline))
    assert alarms == 0
