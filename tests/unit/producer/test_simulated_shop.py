"""The simulated shop: the same for a seed, at the rate asked for, and plausible."""

import uuid
from collections import Counter, defaultdict
from itertools import islice, pairwise
from math import log
from statistics import mean, median, stdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producer.draws import Draws
from producer.incidents import parse
from producer.interaction import check
from producer.rhythm import SWING, daily_factor
from producer.shop import STEPS
from producer.simulator import MAX_SESSIONS, Simulator

START_MS = 1_795_341_600_000
DAY_MS = 24 * 3600 * 1000


def take(count: int, **options):
    options = {"rate": 100.0, "start_ms": START_MS, "seed": 1} | options
    simulator = Simulator(options.pop("rate"), options.pop("start_ms"), **options)
    return list(islice(simulator.events(), count))


def test_the_same_seed_and_start_give_the_same_events():
    assert take(3000, seed=5) == take(3000, seed=5)


def test_another_start_gives_the_same_happenings_with_other_ids():
    first = take(3000, seed=5, flat=True)
    second = take(3000, seed=5, flat=True, start_ms=START_MS + 7 * 60_000)

    def happenings(events):
        return [(offset, event._replace(event_id="", session_id="", event_timestamp=0)) for offset, event in events]

    assert happenings(first) == happenings(second)
    assert not {e.event_id for _, e in first} & {e.event_id for _, e in second}
    assert not {e.session_id for _, e in first} & {e.session_id for _, e in second}


def test_another_seed_gives_other_happenings():
    assert [e.event_type for _, e in take(300, seed=1)] != [e.event_type for _, e in take(300, seed=2)]


@settings(max_examples=20, deadline=None)
@given(rate=st.floats(0.5, 20_000), seed=st.integers(0, 2**32), flat=st.booleans())
def test_events_keep_the_contract_and_never_go_back(rate, seed, flat):
    events = take(400, rate=rate, seed=seed, flat=flat)
    for offset, event in events:
        check(event)
        uuid.UUID(event.event_id)
        assert event.event_timestamp == int(START_MS + offset)
    assert all(before <= after for (before, _), (after, _) in pairwise(events))
    assert len({event.event_id for _, event in events}) == len(events)


def test_flat_is_exactly_the_rate():
    offsets = [offset for offset, _ in take(10_001, rate=400, flat=True)]
    assert offsets[0] == 0
    assert offsets[10_000] == 25_000
    per_second = Counter(int(offset // 1000) for offset in offsets[:-1])
    assert set(per_second.values()) == {400}


@pytest.mark.parametrize("hour", [2, 8, 14, 20])
def test_the_daily_rhythm(hour):
    start = START_MS - START_MS % DAY_MS + hour * 3600 * 1000
    events = take(20_000, rate=1000, start_ms=start)
    rate = len(events) / events[-1][0] * 1000
    expected = 1000 * {2: 1 + SWING * -0.0, 8: 1 - SWING, 14: 1.0, 20: 1 + SWING}[hour]
    assert rate == pytest.approx(expected, rel=0.05)


def test_the_rhythms_mean_over_a_day_is_one():
    assert mean(daily_factor(minute * 60_000) for minute in range(24 * 60)) == pytest.approx(1)


@pytest.fixture(scope="module")
def hour_of_traffic():
    return [event for _, event in take(100_000, rate=50, flat=True)]


def test_every_type_occurs_and_the_funnel_narrows(hour_of_traffic):
    counts = Counter(str(event.event_type) for event in hour_of_traffic)
    assert counts["VIEW_PRODUCT"] > counts["ADD_TO_CART"] > counts["CHECKOUT"] > counts["PAYMENT"] > 1000


def test_the_shop_is_as_full_at_the_start_as_later(hour_of_traffic):
    """No ramp: sessions are under way when the traffic begins."""
    tenths = [Counter(str(e.event_type) for e in hour_of_traffic[i : i + 10_000]) for i in range(0, 100_000, 10_000)]
    payments = [tenth["PAYMENT"] for tenth in tenths]
    assert payments[0] == pytest.approx(mean(payments), rel=0.3)


def test_sessions_belong_to_one_user_and_follow_the_walk(hour_of_traffic):
    sessions = defaultdict(list)
    for event in hour_of_traffic:
        sessions[event.session_id].append(event)
    assert len(sessions) > 10_000
    allowed = {(str(a), str(b)) for a, step in STEPS.items() for b in step.then}
    for events in sessions.values():
        assert len({event.user_id for event in events}) == 1
        for before, after in pairwise(events):
            retried = before.status == "ERROR" and before.event_type == after.event_type
            assert retried or (str(before.event_type), str(after.event_type)) in allowed


def test_latencies_are_log_normal(hour_of_traffic):
    for event_type, step in STEPS.items():
        latencies = [event.request_latency_ms for event in hour_of_traffic if event.event_type == event_type]
        assert median(latencies) == pytest.approx(step.latency_median, rel=0.1)
        logs = [log(latency) for latency in latencies]
        assert stdev(logs) == pytest.approx(step.latency_sigma, rel=0.15)


def test_errors_are_few_and_have_the_types_codes(hour_of_traffic):
    for event_type, step in STEPS.items():
        events = [event for event in hour_of_traffic if event.event_type == event_type]
        errors = [event for event in events if event.status == "ERROR"]
        # Five standard deviations of a binomial share.
        margin = 5 * (step.error_rate / len(events)) ** 0.5
        assert len(errors) / len(events) == pytest.approx(step.error_rate, abs=margin)
        assert {event.error_code for event in errors} <= set(step.codes)


def test_an_incident_raises_the_errors_of_its_type_in_its_time_only():
    incident = parse("SEARCH:errors:0.5:1..2", START_MS)
    events = take(90_000, rate=500, flat=True, incidents=[incident])

    def share(event_type, from_minute):
        window = [e for o, e in events if from_minute <= o / 60_000 < from_minute + 1 and e.event_type == event_type]
        return mean(e.status == "ERROR" for e in window)

    assert [share("SEARCH", minute) for minute in range(3)] == [
        pytest.approx(0.004, abs=0.01),
        pytest.approx(0.5, abs=0.03),
        pytest.approx(0.004, abs=0.01),
    ]
    assert share("VIEW_PRODUCT", 1) < 0.02


def test_an_incident_raises_the_latency():
    quiet = take(30_000, rate=500, flat=True)
    slow = take(30_000, rate=500, flat=True, incidents=[parse("CHECKOUT:latency:x4:0..1", START_MS)])

    def typical(events, event_type):
        return median(e.request_latency_ms for _, e in events if e.event_type == event_type)

    assert typical(slow, "CHECKOUT") == pytest.approx(4 * typical(quiet, "CHECKOUT"), rel=0.05)
    assert typical(slow, "PAYMENT") == typical(quiet, "PAYMENT")


def test_a_high_rate_does_not_take_more_memory():
    simulator = Simulator(1_000_000, START_MS, seed=1)
    for _ in islice(simulator.events(), 50_000):
        pass
    assert len(simulator._queue) < 1.5 * MAX_SESSIONS


def test_uuids_are_version_4():
    draws = Draws(1, 1)
    for _ in range(5000):
        text = draws.uuid()
        assert (str(uuid.UUID(text)), uuid.UUID(text).version, uuid.UUID(text).variant) == (text, 4, uuid.RFC_4122)
