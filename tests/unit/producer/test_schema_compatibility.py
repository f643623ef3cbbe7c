import copy
import json

import pytest

from producer.compatibility import backward_problems
from producer.wire import read_schema

SCHEMA = json.loads(read_schema())


def changed(field_name: str, **entries):
    schema = copy.deepcopy(SCHEMA)
    next(field for field in schema["fields"] if field["name"] == field_name).update(entries)
    return schema


def with_field(**field):
    return SCHEMA | {"fields": [*SCHEMA["fields"], field]}


@pytest.mark.parametrize(
    "new",
    [
        SCHEMA,
        with_field(name="channel", type="string", default="web"),
        SCHEMA | {"fields": SCHEMA["fields"][:-1]},
        changed("request_latency_ms", type="long"),
        changed("request_latency_ms", type=["null", "int"]),
        changed("status", name="outcome", aliases=["status"]),
    ],
    ids=["same", "added with default", "removed", "promoted", "made optional", "renamed with alias"],
)
def test_what_can_read_older_events_has_no_problem(new):
    assert backward_problems(SCHEMA, new) == []


@pytest.mark.parametrize(
    ("new", "names"),
    [
        (with_field(name="channel", type="string"), ["channel", "default"]),
        (changed("request_latency_ms", type="string"), ["request_latency_ms", "int", "string"]),
        (changed("error_code", type="int"), ["error_code", "null"]),
        (changed("status", type={"type": "enum", "name": "Status", "symbols": ["SUCCESS"]}), ["status", "ERROR"]),
        (SCHEMA | {"name": "Click"}, ["clickpulse.events.UserInteraction", "clickpulse.events.Click"]),
    ],
    ids=["added without default", "other type", "no longer optional", "symbol removed", "record renamed"],
)
def test_what_cannot_is_named(new, names):
    (problem,) = backward_problems(SCHEMA, new)
    assert all(name in problem for name in names)


def test_every_problem_is_told():
    new = changed("status", type="int")
    new["fields"].append({"name": "channel", "type": "string"})
    assert len(backward_problems(SCHEMA, new)) == 2
