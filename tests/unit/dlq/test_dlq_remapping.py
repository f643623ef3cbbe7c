"""A letter's payload through a mapping becomes an event of the current schema, or says why not."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastavro
import pytest

from clickpulse.dlq.letters import parse_letter
from clickpulse.dlq.remapping import Remapping
from clickpulse.dlq.sending import Outgoing
from clickpulse.errors import BadRecordError
from clickpulse.future import FutureLimit
from producer.mapping import load_mapping
from producer.wire import Encoder, read_schema

NOW_MS = 1_700_000_000_000
ID = "0b9e0b0c-6d0f-4f6e-9a55-0a5a3a1f6a11"
MAPPING = """
name: fixed
fields:
  user_id: {uuid5: [user]}
  session_id: {uuid5: [user]}
  event_type: {column: action, map: {find: SEARCH}}
  event_timestamp: {column: at, unit: ms}
  request_latency_ms: {column: took}
  status: {constant: SUCCESS}
"""
OTHER = fastavro.parse_schema(
    {
        "type": "record",
        "name": "Old",
        "fields": [
            {"name": "event_id", "type": "string"}, {"name": "user", "type": "string"},
            {"name": "action", "type": "string"}, {"name": "at", "type": "long"}, {"name": "took", "type": "int"},
        ],
    }
)  # fmt: skip
ROW = {"event_id": ID, "user": "ada", "action": "find", "at": NOW_MS, "took": 12}
Remap = Callable[..., Outgoing]


@pytest.fixture
def remap(tmp_path: Path, stored: Any, headers_of: Any) -> Remap:
    file = tmp_path / "mapping.yaml"
    file.write_text(MAPPING)
    remapping = Remapping(
        load_mapping(file), lambda _: OTHER, Encoder(read_schema(), 77), FutureLimit(60, lambda: NOW_MS)
    )

    def outgoing(body: bytes | None, offset: int | None = 7) -> Outgoing:
        return remapping.outgoing(parse_letter(stored((0, 3), body, b"old", headers_of(offset), NOW_MS)))

    return outgoing


def as_json(**changes: Any) -> bytes:
    return json.dumps({name: value for name, value in (ROW | changes).items() if value is not None}).encode()


def event_of(message: Outgoing) -> dict[str, Any]:
    value = message.value or b""
    assert value[:5] == b"\0\0\0\0\x4d"
    schema = fastavro.parse_schema(json.loads(read_schema()))
    return dict(fastavro.schemaless_reader(io.BytesIO(value[5:]), schema, None))  # type: ignore[arg-type, call-overload]


def test_json_becomes_an_event_with_its_own_id(remap: Remap) -> None:
    message = remap(as_json())
    event = event_of(message)
    assert (str(event["event_id"]), event["event_type"], event["request_latency_ms"]) == (ID, "SEARCH", 12)
    assert (message.topic, message.key, message.timestamp_ms) == ("events", str(event["user_id"]).encode(), NOW_MS)


def test_avro_of_another_schema_becomes_one_as_well(remap: Remap) -> None:
    stream = io.BytesIO(b"\0\0\0\0\x05")
    stream.seek(5)
    fastavro.schemaless_writer(stream, OTHER, ROW)
    assert remap(stream.getvalue()).value == remap(as_json()).value


def test_without_an_id_it_gets_one_that_is_the_messages(remap: Remap) -> None:
    ids = [str(event_of(remap(as_json(event_id=given), offset))["event_id"]) for given, offset in
           ((None, 7), ("no-uuid", 7), (None, 8))]  # fmt: skip
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (as_json(action="leave"), "event_type: the map has no entry for 'leave'"),
        (as_json(took=None), "it has no field took; it has action, at, event_id, user"),
        (as_json(took=-1), "request_latency_ms"),
        (as_json(at=NOW_MS + 61_000), "is 61 s ahead of the clock"),
        (b"[1]", "no record"),
        (b"garbage", "can't be read: neither"),
        (None, "can't be read: there is no value"),
        (b"\0\0\0\0\x05\x02", "can't be read: field event_id"),
    ],
)
def test_what_does_not_fit_says_why(remap: Remap, body: bytes | None, reason: str) -> None:
    with pytest.raises(BadRecordError) as refused:
        remap(body)
    assert reason in refused.value.reason
