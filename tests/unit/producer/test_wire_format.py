"""The values are what any reader of Confluent's wire format expects; fastavro's reader is the judge."""

import io
import json
import struct
import uuid

import pytest
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from hypothesis import given
from hypothesis import strategies as st

from clickpulse.errors import BadRecordError
from clickpulse.events import PRODUCT_EVENT_TYPES, EventType, Status
from producer.interaction import Interaction
from producer.wire import HEADER_BYTES, Encoder, read_schema

SCHEMA = json.loads(read_schema())
PARSED = parse_schema(SCHEMA)
SCHEMA_ID = 70_000
WITH_PLAIN_TIME = parse_schema(
    SCHEMA | {"fields": [f | {"type": "long"} if f["name"] == "event_timestamp" else f for f in SCHEMA["fields"]]}
)
IDS = ("event_id", "user_id", "session_id")
PLAIN = ("event_type", "event_timestamp", "request_latency_ms", "status", "error_code", "product_id")

ids = st.uuids().map(str)


@st.composite
def interactions(draw):
    event_type = draw(st.sampled_from([str(event_type) for event_type in EventType]))
    status = draw(st.sampled_from([str(status) for status in Status]))
    return Interaction(
        event_id=draw(ids),
        user_id=draw(ids),
        session_id=draw(ids),
        event_type=event_type,
        event_timestamp=draw(st.integers(0, 2**53)),
        request_latency_ms=draw(st.integers(0, 2**31 - 1)),
        status=status,
        error_code=draw(st.none() | st.integers(400, 599)) if status == "ERROR" else None,
        product_id=draw(st.none() | st.text(max_size=200)) if event_type in PRODUCT_EVENT_TYPES else None,
    )


def some_event(**changes) -> Interaction:
    ids = [str(uuid.uuid4()) for _ in range(3)]
    return Interaction(*ids, "VIEW_PRODUCT", 1_763_805_600_000, 35, "SUCCESS", None, "P-1")._replace(**changes)


def by_fastavro(event: Interaction) -> bytes:
    buffer = io.BytesIO()
    schemaless_writer(buffer, PARSED, event._asdict())
    return b"\x00" + struct.pack(">I", SCHEMA_ID) + buffer.getvalue()


@given(interactions())
def test_the_bytes_are_those_of_fastavro(event):
    assert Encoder(read_schema(), SCHEMA_ID).encode(event) == by_fastavro(event)


@given(interactions())
def test_a_reader_gets_back_what_was_written(event):
    value = Encoder(read_schema(), SCHEMA_ID).encode(event)
    assert value[0] == 0
    assert struct.unpack(">I", value[1:HEADER_BYTES]) == (SCHEMA_ID,)
    read = schemaless_reader(io.BytesIO(value[HEADER_BYTES:]), WITH_PLAIN_TIME, None)
    # Not decoded to datetime objects: these end with the year 9999.
    assert {name: str(read[name]) for name in IDS} == {name: getattr(event, name) for name in IDS}
    assert {name: read[name] for name in PLAIN} == {name: getattr(event, name) for name in PLAIN}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"event_id": "short"}, "event_id"),
        ({"user_id": "é" * 36}, "user_id"),
        ({"session_id": None}, "session_id"),
        ({"event_type": "LOGIN"}, "event_type"),
        ({"event_timestamp": -1}, "event_timestamp"),
        ({"event_timestamp": "now"}, "event_timestamp"),
        ({"request_latency_ms": -1}, "request_latency_ms"),
        ({"request_latency_ms": 2**31}, "request_latency_ms"),
        ({"request_latency_ms": 1.5}, "request_latency_ms"),
        ({"status": "OK"}, "status"),
        ({"error_code": 500}, "error_code"),
        ({"status": "ERROR", "error_code": 200}, "error_code"),
        ({"status": "ERROR", "error_code": 600}, "error_code"),
        ({"event_type": "PAYMENT"}, "product_id"),
        ({"product_id": 17}, "product_id"),
    ],
)
def test_what_breaks_the_contract_is_refused_with_the_fields_name(changes, field):
    with pytest.raises(BadRecordError, match=rf"^{field} "):
        Encoder(read_schema(), 1).encode(some_event(**changes))


def test_another_layout_of_the_schema_is_followed():
    """A field added to the file is written, with its default, without a change of the code."""
    added = {"name": "channel", "type": "string", "default": "web"}
    schema = SCHEMA | {"fields": [*SCHEMA["fields"], added]}
    event = some_event()
    value = Encoder(json.dumps(schema), 1).encode(event)
    read = schemaless_reader(io.BytesIO(value[HEADER_BYTES:]), parse_schema(schema), None)
    assert read["channel"] == "web"
    assert read["product_id"] == event.product_id
