"""Payloads decoded as far as possible, against bytes written by another hand."""

from __future__ import annotations

import io
import json
from typing import Any

import fastavro
import pytest

from clickpulse.dlq.payload import decode, printable
from clickpulse.errors import TransientError
from clickpulse.settings import PROJECT_ROOT

SCHEMA = json.loads((PROJECT_ROOT / "producer" / "schemas" / "user_interaction.avsc").read_text())
PARSED = fastavro.parse_schema(SCHEMA)
ID = "0b9e0b0c-6d0f-4f6e-9a55-0a5a3a1f6a11"
HEAD = b"\0\0\0\0\7"
EVENT = {
    "event_id": ID, "user_id": "someone", "session_id": ID, "event_type": "SEARCH",
    "event_timestamp": 1_700_000_000_000, "request_latency_ms": 5, "status": "SUCCESS", "error_code": None,
    "product_id": None,
}  # fmt: skip
WITHOUT_LOGICAL_TYPES = fastavro.parse_schema(json.loads(json.dumps(SCHEMA).replace('"logicalType"', '"was"')))


def schema_of(schema_id: int) -> Any | None:
    return WITHOUT_LOGICAL_TYPES if schema_id == 7 else None


def datum(**changes: Any) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, PARSED, EVENT | changes)
    return stream.getvalue()


def test_a_whole_record() -> None:
    payload = decode(HEAD + datum(), schema_of)
    assert (payload.kind, payload.content, payload.schema_id, payload.fault) == ("avro", EVENT, 7, "")


# id, user (7 letters), id: 37 + 8 + 37 bytes; event_type 1; event_timestamp 6; latency 1; status 1; two unions.
@pytest.mark.parametrize(
    ("length", "fields", "faulty"),
    [(20, 0, "event_id"), (37, 1, "user_id"), (60, 2, "session_id"), (82, 3, "event_type"), (85, 4, "event_timestamp"),
     (91, 7, "error_code")],
)  # fmt: skip
def test_of_a_cut_record_the_fields_before_the_cut(length: int, fields: int, faulty: str) -> None:
    payload = decode(HEAD + datum()[:length], schema_of)
    assert payload.content == (dict(list(EVENT.items())[:fields]))
    assert payload.fault.startswith(f"field {faulty}: ")


def test_an_enum_that_has_no_such_symbol() -> None:
    whole = datum()
    payload = decode(HEAD + whole[:82] + b"\x20" + whole[83:], schema_of)
    assert list(payload.content) == ["event_id", "user_id", "session_id"]
    assert payload.fault.startswith("field event_type: ")


def test_bytes_behind_the_record_are_told() -> None:
    payload = decode(HEAD + datum() + b"more", schema_of)
    assert (payload.content, payload.fault) == (EVENT, "4 bytes follow the record")


@pytest.mark.parametrize(
    ("value", "kind", "content", "fault"),
    [
        (None, "none", None, "there is no value"),
        (b'{"user": 5, "tags": ["a"]}', "json", {"user": 5, "tags": ["a"]}, ""),
        (b"hello", "bytes", None, "neither Confluent's wire format nor JSON"),
        (b"\xff\xfe", "bytes", None, "neither Confluent's wire format nor JSON"),
        (b"", "bytes", None, "neither Confluent's wire format nor JSON"),
        (b"\0\0\0\0\x09abc", "bytes", None, "the registry has no schema with id 9"),
    ],
)
def test_other_payloads(value: bytes | None, kind: str, content: Any, fault: str) -> None:
    payload = decode(value, schema_of)
    assert (payload.kind, payload.content, payload.fault) == (kind, content, fault)


def test_a_schema_that_is_no_record() -> None:
    assert decode(HEAD + b"\x02", lambda _: fastavro.parse_schema({"type": "int"})).content == 1
    cut = decode(HEAD + b"\x06ab", lambda _: fastavro.parse_schema({"type": "string"}))
    assert (cut.content, bool(cut.fault)) == (None, True)


def test_a_record_that_uses_a_type_twice() -> None:
    kind = {"type": "enum", "name": "Kind", "symbols": ["A", "B"]}
    fields = [{"name": "first", "type": kind}, {"name": "second", "type": "Kind"}, {"name": "third", "type": "long"}]
    schema = fastavro.parse_schema({"type": "record", "name": "Two", "namespace": "shop", "fields": fields})
    assert decode(HEAD + b"\x00\x02", lambda _: schema).content == {"first": "A", "second": "B"}


def test_a_registry_that_does_not_answer_is_told() -> None:
    def away(_: int) -> None:
        raise TransientError("Schema Registry not reached")

    with pytest.raises(TransientError):
        decode(HEAD + datum(), away)


def test_bytes_as_text() -> None:
    assert printable(b"a\0b\x1b[31m\xff") == "a.b.[31m."
