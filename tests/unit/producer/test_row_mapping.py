"""Rows become interactions, or are refused with the field, the value and the reason."""

import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickpulse.errors import BadRecordError
from producer.mapping import Mapping
from producer.row_mapper import RowMapper

FIELDS = {
    "user_id": {"column": "user"},
    "session_id": {"uuid5": ["user", "visit"], "namespace": "visits"},
    "event_type": {"column": "action", "map": {"view": "VIEW_PRODUCT", "pay": "PAYMENT"}},
    "event_timestamp": {"column": "at", "unit": "ms"},
    "request_latency_ms": {"column": "seconds", "scale": 1000, "default": 0.05},
    "status": {"column": "http", "map": {200: "SUCCESS"}, "default": "ERROR"},
    "error_code": {"column": "code"},
    "product_id": {"column": "item"},
}
ROW = {
    "user": "00000000-0000-4000-8000-000000000001",
    "visit": "7",
    "action": "view",
    "at": "1506826828020",
    "seconds": "0.0421",
    "http": "200",
    "code": "",
    "item": "sku-1",
}


def mapped(row=None, *, fields=None):
    mapper = RowMapper(Mapping(name="test", fields=FIELDS | (fields or {})))
    values = ROW | (row or {})
    return mapper.map([values.get(column) for column in mapper.columns])


def at(**source):
    return {"event_timestamp": source}


def utc_ms(*parts) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp() * 1000)


def test_a_row():
    row = mapped()
    assert row.time_ms == 1_506_826_828_020
    assert row.user_id == ROW["user"]
    namespace = uuid.uuid5(uuid.NAMESPACE_URL, "urn:clickpulse:visits")
    assert row.session_id == str(uuid.uuid5(namespace, f"{ROW['user']}\x1f7"))
    assert (row.event_type, row.status, row.error_code, row.product_id) == ("VIEW_PRODUCT", "SUCCESS", None, "sku-1")
    assert row.request_latency_ms == 42


def test_an_error():
    row = mapped({"http": "503", "code": "503"})
    assert (row.status, row.error_code) == ("ERROR", 503)


@pytest.mark.parametrize("http", [200, 200.0, "200"])
def test_a_map_does_not_mind_how_a_number_is_written(http):
    assert mapped({"http": http}).status == "SUCCESS"


def test_the_default_is_for_empty_values():
    assert mapped({"seconds": ""}).request_latency_ms == 50
    assert mapped({"http": None}).status == "ERROR"


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"user": "17"}, ["user_id", "'17'", "column user"]),
        ({"user": ""}, ["user_id", "column user", "empty"]),
        ({"visit": None}, ["session_id", "column visit", "empty"]),
        ({"action": "login"}, ["event_type", "'login'", "column action"]),
        ({"action": ""}, ["event_type", "column action", "empty"]),
        ({"at": "yesterday"}, ["event_timestamp", "'yesterday'"]),
        ({"at": "-5"}, ["event_timestamp", "'-5'", "unit"]),
        ({"at": "1506826828020000"}, ["event_timestamp", "unit"]),
        ({"at": "9" * 5000}, ["event_timestamp"]),
        ({"at": ""}, ["event_timestamp", "column at", "empty"]),
        ({"seconds": "-1"}, ["request_latency_ms", "'-1'"]),
        ({"seconds": "nan"}, ["request_latency_ms", "'nan'"]),
        ({"seconds": "soon"}, ["request_latency_ms", "'soon'"]),
        ({"seconds": "1e9"}, ["request_latency_ms", "'1e9'"]),
        ({"code": "500"}, ["error_code 500", "SUCCESS", "only allowed with ERROR"]),
        ({"http": "500", "code": "200"}, ["error_code 200", "400"]),
        ({"http": "500", "code": "500.5"}, ["error_code 500.5"]),
        ({"action": "pay"}, ["product_id", "'sku-1'", "PAYMENT", "VIEW_PRODUCT"]),
        ({"item": "\udcff"}, ["not valid text"]),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(row, told):
    with pytest.raises(BadRecordError) as error:
        mapped(row)
    assert [part for part in told if part not in error.value.reason] == [], error.value.reason
    assert error.value.error_class == "unmappable-row"


def test_what_the_contract_wants_null_can_be_dropped_on_request():
    dropping = {
        "error_code": {"column": "http", "where_not_allowed": "drop"},
        "product_id": {"column": "item", "where_not_allowed": "drop"},
    }
    row = mapped({"action": "pay"}, fields=dropping)
    assert (row.error_code, row.product_id) == (None, None)
    row = mapped({"http": "404"}, fields=dropping)
    assert (row.error_code, row.product_id) == (404, "sku-1")


@pytest.mark.parametrize(
    ("source", "value", "expected"),
    [
        ({"unit": "s"}, "1506826828.5", utc_ms(2017, 10, 1, 3, 0, 28, 500_000)),
        ({"unit": "us"}, 1_506_826_828_500_000, utc_ms(2017, 10, 1, 3, 0, 28, 500_000)),
        ({"unit": "ns"}, "1506826828500000000", utc_ms(2017, 10, 1, 3, 0, 28, 500_000)),
        ({"unit": "iso"}, "2026-07-01T12:00:00Z", utc_ms(2026, 7, 1, 12)),
        ({"unit": "iso"}, "2026-07-01 12:00:00.250+02:00", utc_ms(2026, 7, 1, 10, 0, 0, 250_000)),
        ({"unit": "iso", "time_zone": "Europe/Berlin"}, "2026-07-01T12:00:00", utc_ms(2026, 7, 1, 10)),
        ({"unit": "iso", "time_zone": "Europe/Berlin"}, "2026-12-01T12:00:00", utc_ms(2026, 12, 1, 11)),
        ({"unit": "iso", "time_zone": "Europe/Berlin"}, datetime(2026, 12, 1, 12), utc_ms(2026, 12, 1, 11)),  # noqa: DTZ001
    ],
)
def test_times(source, value, expected):
    assert mapped({"at": value}, fields=at(column="at", **source)).time_ms == expected


@pytest.mark.parametrize(("unit", "offset", "ms"), [("s", "1.5", 1500), ("min", "2", 120_000), ("ms", "7", 7)])
def test_offsets_from_a_base(unit, offset, ms):
    source = at(offset_column="at", unit=unit, base="2026-03-01T13:00:00+01:00")
    assert mapped({"at": offset}, fields=source).time_ms == utc_ms(2026, 3, 1, 12) + ms


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(BadRecordError, match="time_zone"):
        mapped({"at": "2026-07-01T12:00:00"}, fields=at(column="at", unit="iso"))


@given(st.dictionaries(st.sampled_from(sorted(ROW)), st.none() | st.text(max_size=20) | st.floats() | st.integers()))
def test_any_row_is_mapped_or_refused(row):
    try:
        result = mapped(row)
    except BadRecordError:
        return
    assert result.error_code is None or result.status == "ERROR"
    assert result.product_id is None or result.event_type == "VIEW_PRODUCT"
