"""A letter's value decoded as far as possible: Avro in Confluent's wire format, JSON, or bytes."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import fastavro

_HEAD_LENGTH = 5
# What reading bytes with a schema that they were not written with ends in; the reader has no exception of its own.
_DECODING_ERRORS = (EOFError, ValueError, IndexError, TypeError, KeyError, OverflowError, MemoryError)

SchemaOf = Callable[[int], Any | None]
"""The parsed Avro schema of an id, None if the registry has none. Raises `TransientError` if it does not answer."""


@dataclass(frozen=True)
class Payload:
    """What could be read.

    `content` is the record's fields, those before the fault if there is one; or the JSON value; None for bytes.
    `fault` says why no more could be read; empty if all of it was.
    """

    kind: Literal["none", "avro", "json", "bytes"]
    content: Any = None
    schema_id: int | None = None
    fault: str = ""


def decode(value: bytes | None, schema_of: SchemaOf) -> Payload:
    """Decode what can be decoded. Raises `TransientError` where the registry has to be asked and does not answer."""
    if value is None:
        return Payload("none", fault="there is no value")
    if value[:1] == b"\0" and len(value) > _HEAD_LENGTH:
        schema_id = int.from_bytes(value[1:_HEAD_LENGTH], "big")
        schema = schema_of(schema_id)
        if schema is None:
            return Payload("bytes", schema_id=schema_id, fault=f"the registry has no schema with id {schema_id}")
        return _avro(value, schema_id, schema)
    try:
        return Payload("json", json.loads(value.decode()))
    except (ValueError, RecursionError):
        return Payload("bytes", fault="neither Confluent's wire format nor JSON")


def _avro(value: bytes, schema_id: int, schema: Any) -> Payload:
    stream = io.BytesIO(value)
    stream.seek(_HEAD_LENGTH)
    try:
        content = _read(stream, schema)
    except _DECODING_ERRORS as error:
        return _as_far_as_possible(value, schema_id, schema, error)
    rest = len(value) - stream.tell()
    return Payload("avro", content, schema_id, f"{rest} bytes follow the record" if rest else "")


def _as_far_as_possible(value: bytes, schema_id: int, schema: Any, error: Exception) -> Payload:
    """The fields before the first that can't be read, found by reading with ever longer beginnings of the record."""
    is_record = isinstance(schema, dict) and schema.get("type") == "record"
    fields = schema["fields"] if is_record else []
    content: dict[str, Any] = {}
    for count, field in enumerate(fields, start=1):
        beginning = {"type": "record", "name": schema["name"], "fields": fields[:count]}
        stream = io.BytesIO(value)
        stream.seek(_HEAD_LENGTH)
        try:
            content = _read(stream, fastavro.parse_schema(beginning, {}))
        except _DECODING_ERRORS as field_error:
            return Payload("avro", content, schema_id, f"field {field['name']}: {_words(field_error)}")
    return Payload("avro", content or None, schema_id, _words(error))


def _read(stream: io.BytesIO, schema: Any) -> Any:
    return fastavro.schemaless_reader(stream, schema, None, handle_unicode_errors="replace")


def _words(error: Exception) -> str:
    return f"{type(error).__name__} {error}".strip()


def printable(value: bytes) -> str:
    """Bytes as ASCII text, a dot for each that is not."""
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in value)  # noqa: PLR2004 - ASCII
