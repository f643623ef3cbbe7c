"""What is wrong with one message, in two steps of different cost.

`head_fault` looks at the first five bytes of every message. `body_fault` decodes, and is asked only about the
messages of a batch that ClickHouse has refused; where the clock is the reason, first about those that Kafka's timestamp
makes suspect, which for most producers is the event's. It finds nothing that ClickHouse would have taken, so a
message's fate does not depend on its neighbours; what it does not find, `delivery` isolates by halving the batch.
"""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterable
from typing import Any

import fastavro

from clickpulse.errors import BadRecordError
from clickpulse.future import FUTURE_TIMESTAMP, FutureLimit
from connect.sink.batch import Message
from connect.sink.schemas import SchemaCache

HEAD_LENGTH = 5
"""Bytes of Confluent's wire format before the Avro datum: a zero byte and the schema id, big-endian."""

_UUID_FIELDS = ("event_id", "user_id", "session_id")
# What reading a datum with a schema it was not written with ends in; the reader has no exception of its own.
_DECODING_ERRORS = (EOFError, ValueError, IndexError, TypeError, KeyError, OverflowError, MemoryError)


class Screening:
    """Finds the messages that can't be stored, with the reason."""

    def __init__(self, schemas: SchemaCache, future: FutureLimit) -> None:
        self._schemas = schemas
        self._future = future
        self._good_heads: set[bytes] = set()

    def suspects(self, messages: Iterable[Message]) -> list[Message]:
        """Those whose head is not known to be good; nearly always none, hence cheap."""
        good = self._good_heads
        return [message for message in messages if (message.value() or b"")[:HEAD_LENGTH] not in good]

    def head_fault(self, message: Message) -> BadRecordError | None:
        """Raises `TransientError` if the registry has to be asked and does not answer."""
        value = message.value()
        if value is None:
            return BadRecordError("null value (tombstone): an event is never deleted", "null-value")
        if len(value) <= HEAD_LENGTH:
            return BadRecordError(f"{len(value)} bytes are too short for Confluent's wire format", "not-wire-format")
        if value[0] != 0:
            return BadRecordError(
                f"first byte is {value[0]:#04x}, not 0x00: not Confluent's wire format", "not-wire-format"
            )
        schema_id = schema_id_of(value)
        if self._schemas.get(schema_id) is None:
            return _no_schema(schema_id)
        self._good_heads.add(value[:HEAD_LENGTH])
        return None

    def ahead(self, messages: Iterable[Message]) -> list[Message]:
        """Those that Kafka's timestamp says to be too far ahead of the clock; the event's own time is in the body."""
        latest_ms = self._future.latest_ms
        return [message for message in messages if message.timestamp()[1] > latest_ms]

    def unknown_schema(self, message: Message) -> BadRecordError | None:
        """Whether the registry, asked anew, has no such schema: it may have been deleted. Raises as `head_fault`."""
        schema_id = schema_id_of(message.value() or b"")
        return _no_schema(schema_id) if self._schemas.is_gone(schema_id) else None

    def body_fault(self, message: Message) -> BadRecordError | None:
        """For a message without `head_fault`. Raises `TransientError` like it."""
        value = message.value() or b""
        schema = self._schemas.get(schema_id_of(value))
        stream = io.BytesIO(value)
        stream.seek(HEAD_LENGTH)
        try:
            datum = fastavro.schemaless_reader(stream, schema, None, handle_unicode_errors="replace")
        except _DECODING_ERRORS as error:
            return BadRecordError(
                f"not Avro of schema {schema_id_of(value)}: {type(error).__name__} {error}".rstrip(), "malformed-avro"
            )
        if rest := len(value) - stream.tell():
            return BadRecordError(f"{rest} bytes follow the Avro datum", "malformed-avro")
        return _value_fault(datum) or self._time_fault(datum)

    def _time_fault(self, datum: Any) -> BadRecordError | None:
        time_ms = datum.get("event_timestamp") if isinstance(datum, dict) else None
        reason = self._future.fault(time_ms) if isinstance(time_ms, int) else ""
        return BadRecordError(reason, FUTURE_TIMESTAMP) if reason else None


def schema_id_of(value: bytes) -> int:
    return int.from_bytes(value[1:HEAD_LENGTH], "big")


def _no_schema(schema_id: int) -> BadRecordError:
    return BadRecordError(f"the registry has no schema with id {schema_id}", "unknown-schema")


def _value_fault(datum: Any) -> BadRecordError | None:
    for field in _UUID_FIELDS:
        text = datum.get(field) if isinstance(datum, dict) else None
        if not isinstance(text, str):
            continue
        try:
            uuid.UUID(text)
        except ValueError:
            return BadRecordError(f"{field} {text[:40]!r} is not a UUID", "invalid-value")
    return None
