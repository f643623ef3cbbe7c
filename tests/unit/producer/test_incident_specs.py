from datetime import UTC, datetime

import pytest

from clickpulse.errors import ConfigurationError
from clickpulse.events import EventType
from producer.incidents import FORM, Incidents, parse

START = datetime(2026, 11, 22, 10, 0, 30, tzinfo=UTC)
START_MS = int(START.timestamp() * 1000)


def at(minute: int, second: int = 0) -> float:
    return datetime(2026, 11, 22, 10, minute, second, tzinfo=UTC).timestamp() * 1000


def test_minutes_count_from_the_start():
    incident = parse("PAYMENT:errors:0.4:2..5", START_MS)
    assert (incident.event_types, incident.kind, incident.amount) == ({EventType.PAYMENT}, "errors", 0.4)
    assert (incident.from_ms, incident.to_ms) == (at(2, 30), at(5, 30))


def test_times_are_absolute():
    incident = parse("SEARCH:latency:x4:2026-11-22T10:05Z..2026-11-22T12:08+02:00", START_MS)
    assert (incident.kind, incident.amount) == ("latency", 4)
    assert (incident.from_ms, incident.to_ms) == (at(5), at(8))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("PAYMENT:errors:0.4", "3 parts"),
        ("PAYMNT:errors:0.4:2..5", "'PAYMNT'"),
        ("PAYMENT:crash:0.4:2..5", "'crash'"),
        ("PAYMENT:errors:40%:2..5", "'40%'"),
        ("PAYMENT:errors:1.2:2..5", "'1.2'"),
        ("PAYMENT:errors:nan:2..5", "'nan'"),
        ("PAYMENT:latency:4:2..5", "'4'"),
        ("PAYMENT:latency:x0:2..5", "'x0'"),
        ("PAYMENT:errors:0.4:2-5", "'2-5'"),
        ("PAYMENT:errors:0.4:5..2", "'5..2'"),
        ("PAYMENT:errors:0.4:-1..2", "'-1'"),
        ("PAYMENT:errors:0.4:2..soon", "'soon'"),
        ("PAYMENT:errors:0.4:2026-11-22T10:05..2026-11-22T10:08Z", "'2026-11-22T10:05'"),
    ],
)
def test_a_wrong_one_is_told_with_the_value_and_the_form(text, value):
    with pytest.raises(ConfigurationError) as error:
        parse(text, START_MS)
    assert value in str(error.value)
    assert text in str(error.value)
    assert FORM in str(error.value)


def test_what_holds_at_a_time():
    incidents = Incidents(
        [
            parse("PAYMENT:errors:0.4:0..2", START_MS),
            parse("ALL:errors:0.1:1..3", START_MS),
            parse("SEARCH:latency:x4:1..2", START_MS),
            parse("SEARCH:latency:x2:1..3", START_MS),
        ]
    )
    minute = 60_000
    seen = [incidents.at(START_MS + offset) for offset in (0, minute - 1, minute, 2 * minute, 3 * minute)]
    rates = [(rates.get(EventType.PAYMENT), rates.get(EventType.SEARCH)) for rates, _factors in seen]
    factors = [factors.get(EventType.SEARCH) for _rates, factors in seen]
    assert rates == [(0.4, None), (0.4, None), (0.4, 0.1), (0.1, 0.1), (None, None)]
    assert factors == [None, None, 8, 2, None]
