"""Reading events' bytes: the quick way agrees with fastavro, and what is unusual is read as well."""

from __future__ import annotations

import io
import json
import uuid
from typing import Any

import fastavro
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clickpulse.accounting.columns import hash_of_bytes, short
from clickpulse.accounting.wire import WireReader, begins_as_usual
from clickpulse.settings import PROJECT_ROOT

SCHEMA_ID, OTHER_ID = 7, 70_000
DEFINITION = json.loads((PROJECT_ROOT / "producer/schemas/user_interaction.avsc").read_text())


def without_logical_types(part: Any) -> Any:
    if isinstance(part, dict):
        return {name: without_logical_types(value) for name, value in part.items() if name != "logicalType"}
    return [without_logical_types(one) for one in part] if isinstance(part, list) else part


SCHEMA = fastavro.parse_schema(without_logical_types(DEFINITION))
TURNED = fastavro.parse_schema(without_logical_types(DEFINITION | {"fields": DEFINITION["fields"][::-1]}))
SCHEMAS = {SCHEMA_ID: SCHEMA, OTHER_ID: TURNED}


def wire(schema_id: int, **values: Any) -> bytes:
    event = {
        "event_id": str(uuid.UUID(int=1)),
        "user_id": str(uuid.UUID(int=2)),
        "session_id": str(uuid.UUID(int=3)),
        "event_type": "SEARCH",
        "event_timestamp": 1_795_000_000_123,
        "request_latency_ms": 100,
        "status": "SUCCESS",
        "error_code": None,
        "product_id": None,
    }
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, SCHEMAS[schema_id], event | values)
    return b"\0" + schema_id.to_bytes(4, "big") + stream.getvalue()


def short_of(event_id: uuid.UUID) -> int:
    return int(short(hash_of_bytes(np.frombuffer(event_id.bytes, np.uint8).reshape(1, 16)))[0])


times = st.integers(0, 2**52) | st.integers(1_500_000_000_000, 2_000_000_000_000)
ids = st.uuids() | st.integers(0, 1000).map(lambda number: uuid.UUID(int=number))
spellings = st.sampled_from([str, lambda one: str(one).upper(), lambda one: one.hex, lambda one: f"{{{one}}}"])


@settings(deadline=None)
@given(st.lists(st.tuples(ids, times, spellings, st.sampled_from([SCHEMA_ID, OTHER_ID])), max_size=40))
def test_time_and_identity_are_those_that_were_written(events):
    reader = WireReader(SCHEMAS.get)

    found = reader.read([wire(s, event_id=spell(i), event_timestamp=t) for i, t, spell, s in events])

    assert found.readable.all()
    assert found.time_ms.tolist() == [moment for _, moment, _, _ in events]
    assert found.shorts.tolist() == [short_of(event_id) for event_id, *_ in events]


@settings(deadline=None)
@given(st.lists(st.none() | st.binary(max_size=200) | st.just(wire(SCHEMA_ID)), max_size=20))
def test_garbage_is_unreadable_and_does_not_touch_its_neighbours(values):
    good = wire(SCHEMA_ID, event_timestamp=1_700_000_000_000)

    found = WireReader(SCHEMAS.get).read([good, *values, good])

    assert found.readable[[0, -1]].all()
    assert found.time_ms[[0, -1]].tolist() == [1_700_000_000_000] * 2
    expected = {None: False, wire(SCHEMA_ID): True}
    for readable, value in zip(found.readable[1:-1].tolist(), values, strict=True):
        assert readable == expected.get(value, readable)


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"\0\0\0\0\7",
        wire(SCHEMA_ID)[:100],
        b"\1" + wire(SCHEMA_ID)[1:],
        b"\0\0\0\0\x63" + wire(SCHEMA_ID)[5:],
    ],
)
def test_what_is_no_event_is_unreadable(value):
    assert not WireReader(SCHEMAS.get).read([value]).readable.any()


def test_an_event_id_that_is_no_uuid_has_no_hash():
    found = WireReader(SCHEMAS.get).read([wire(SCHEMA_ID, event_id="x" * 36), wire(SCHEMA_ID, event_id="short")])

    assert found.readable.all()
    assert found.shorts.tolist() == [0, 0]


def test_the_quick_way_is_taken_only_where_the_schema_begins_as_usual():
    wider = {
        **DEFINITION["fields"][3],
        "type": {**DEFINITION["fields"][3]["type"], "symbols": [f"S{n}" for n in range(65)]},
    }
    longer = DEFINITION | {"fields": [*DEFINITION["fields"], {"name": "more", "type": "string", "default": ""}]}
    many_types = DEFINITION | {"fields": [*DEFINITION["fields"][:3], wider, *DEFINITION["fields"][4:]]}

    assert begins_as_usual(DEFINITION)
    assert begins_as_usual(SCHEMA)
    assert begins_as_usual(longer)
    assert not begins_as_usual(TURNED)
    assert not begins_as_usual(many_types)
    assert not begins_as_usual(None)
    assert not begins_as_usual("string")


def test_the_registry_is_asked_once_for_a_schema():
    asked = []

    def schema_of(schema_id: int) -> Any:
        asked.append(schema_id)
        return SCHEMAS.get(schema_id)

    reader = WireReader(schema_of)
    for _ in range(3):
        assert reader.read([wire(SCHEMA_ID)] * 5).readable.all()

    assert asked == [SCHEMA_ID]
