"""Mappings: what is right is accepted, what is wrong is told with file, key, value and what was expected."""

from pathlib import Path

import pytest
import yaml

from clickpulse.errors import ConfigurationError
from producer.mapping import load_mapping

SHIPPED = Path(__file__).parents[2] / "data" / "mappings"

GOOD = {
    "name": "shop-log",
    "fields": {
        "user_id": {"uuid5": ["visitor"]},
        "session_id": {"column": "session"},
        "event_type": {"column": "action", "map": {"view": "VIEW_PRODUCT"}, "default": "SEARCH"},
        "event_timestamp": {"column": "at", "unit": "iso", "time_zone": "Europe/Berlin"},
        "request_latency_ms": {"constant": 100},
        "status": {"column": "http", "map": {200: "SUCCESS"}, "default": "ERROR"},
    },
}


def write(tmp_path, content) -> Path:
    path = tmp_path / "mapping.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def with_field(name, value):
    return GOOD | {"fields": GOOD["fields"] | {name: value}}


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_shipped_ones_are_right(path):
    assert load_mapping(path).name.replace("-", "_") == path.stem


def test_a_right_one(tmp_path):
    mapping = load_mapping(write(tmp_path, GOOD))
    assert mapping.fields.status.map == {"200": "SUCCESS"}
    assert mapping.fields.product_id is None


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (GOOD | {"nmae": "x"}, ["nmae is not a known key", "name, description"]),
        (GOOD | {"name": "Shop Log"}, ["name", "'Shop Log'"]),
        (with_field("event_type", {"colum": "action"}), ["fields.event_type.colum", "column, constant, map, default"]),
        (with_field("event_type", {"constant": "LOGIN"}), ["event_type", "'LOGIN'", "VIEW_PRODUCT"]),
        (with_field("status", {"column": "http", "map": {200: "OK"}}), ["status", "'OK'", "SUCCESS, ERROR"]),
        (
            with_field("status", {"column": "http", "constant": "SUCCESS"}),
            ["fields.status", "either column"],
        ),
        (with_field("user_id", {}), ["fields.user_id", "one of column, constant and uuid5"]),
        (with_field("user_id", {"constant": "me"}), ["fields.user_id.constant", "'me'", "UUID"]),
        (with_field("event_timestamp", {"column": "at"}), ["fields.event_timestamp.unit is missing"]),
        (with_field("event_timestamp", {"column": "at", "unit": "min"}), ["fields.event_timestamp", "offset_column"]),
        (with_field("event_timestamp", {"column": "at", "unit": "h"}), ["fields.event_timestamp.unit", "'h'", "'ms'"]),
        (
            with_field("event_timestamp", {"column": "at", "unit": "iso", "time_zone": "Mars"}),
            ["fields.event_timestamp.time_zone", "'Mars'", "Europe/Berlin"],
        ),
        (
            with_field("event_timestamp", {"offset_column": "s", "unit": "s", "base": "2026-01-01T00:00:00"}),
            ["fields.event_timestamp.base", "time zone", "Z"],
        ),
        (with_field("request_latency_ms", {"column": "t", "scale": "fast"}), ["request_latency_ms.scale", "'fast'"]),
        ({"name": "empty"}, ["fields is missing"]),
        ("name: [", ["is not YAML"]),
        ("just text", ["the file", "'just text'"]),
    ],
)
def test_a_wrong_one_is_told(tmp_path, content, told):
    path = write(tmp_path, content)
    with pytest.raises(ConfigurationError) as error:
        load_mapping(path)
    message = str(error.value)
    assert str(path) in message
    assert [part for part in told if part not in message] == [], message


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(ConfigurationError, match=r"nowhere\.yaml: No such file"):
        load_mapping(tmp_path / "nowhere.yaml")
