"""Reads what accounting needs of an event's bytes: when it happened, and its identity.

fastavro decodes some 100,000 events a second here, objects and all. As nearly every event begins alike (three texts of
36 characters, an enum, the time), a chunk of them is read with numpy at once: the same bytes at the same places.
Whatever begins otherwise goes through fastavro, with the schema that it was written with.

An event whose beginning can be read counts as readable here, whatever follows.
"""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from clickpulse.accounting.columns import Ints, Mask, hash_of_bytes, short

Bytes = npt.NDArray[np.uint8]

HEAD_LENGTH = 5
_TEXT = 36
_TEXT_HEAD = 2 * _TEXT
"""Avro's zigzag length of a text of 36 bytes: one byte."""
_ID_AT = HEAD_LENGTH + 1
_TEXT_HEADS = [HEAD_LENGTH + number * (_TEXT + 1) for number in range(3)]
_ENUM_AT = HEAD_LENGTH + 3 * (_TEXT + 1)
_TIME_AT = _ENUM_AT + 1
_TIME_BYTES = 6
"""Of times from July 1970 to 2039, in milliseconds."""
_LENGTH = _TIME_AT + _TIME_BYTES
_MORE = 0x80
_DASHES = [_ID_AT + place for place in (8, 13, 18, 23)]
_DIGITS = [place for place in range(_ID_AT, _ID_AT + _TEXT) if place not in _DASHES]
_ONE_BYTE_SYMBOLS = 64
_NO_DIGIT = 255
_HEX = np.full(256, _NO_DIGIT, np.uint8)
for _value, _digits in enumerate(zip("0123456789abcdef", "0123456789ABCDEF", strict=True)):
    for _digit in _digits:
        _HEX[ord(_digit)] = _value

# What reading a datum with a schema it was not written with ends in; the reader has no exception of its own.
_DECODING_ERRORS = (EOFError, ValueError, IndexError, TypeError, KeyError, OverflowError, MemoryError)

SchemaOf = Callable[[int], Any | None]
"""The schema of an id, parsed and without logical types; None if the registry has none."""


class Decoded(NamedTuple):
    """Of a chunk of messages: milliseconds since the epoch, a short hash of the event_id (0: it is no UUID), and
    whether the message could be read.
    """

    time_ms: Ints
    shorts: npt.NDArray[np.uint32]
    readable: Mask


class WireReader:
    """Reads chunks of Kafka values in Confluent's wire format."""

    def __init__(self, schema_of: SchemaOf) -> None:
        self._schema_of = schema_of
        self._usual: dict[int, bool] = {}

    def read(self, values: Sequence[bytes | None]) -> Decoded:
        """Raises `TransientError` if the registry has to be asked and does not answer."""
        found = Decoded(
            np.zeros(len(values), np.int64), np.zeros(len(values), np.uint32), np.zeros(len(values), np.bool_)
        )
        left = self._read_usual(values, found)
        for place in left.tolist():
            self._read_one(values[place], place, found)
        return found

    def _read_usual(self, values: Sequence[bytes | None], found: Decoded) -> Ints:
        """Read those that begin as usual; returns the places of the others."""
        filled = [value or b"" for value in values]
        lengths = np.fromiter(map(len, filled), np.int64, len(filled))
        long_enough = np.flatnonzero(lengths >= _LENGTH)
        if not len(long_enough):
            return np.arange(len(filled))
        content = np.frombuffer(b"".join(filled), np.uint8)
        starts = (np.cumsum(lengths) - lengths)[long_enough]
        begins = np.lib.stride_tricks.sliding_window_view(content, _LENGTH)[starts]
        usual = self._begin_as_usual(begins)
        digits = _HEX[begins[:, _DIGITS]]
        usual &= (digits != _NO_DIGIT).all(axis=1)
        places = long_enough[usual]
        found.time_ms[places] = _times(begins[usual, _TIME_AT:])
        found.shorts[places] = short(hash_of_bytes(digits[usual, 0::2] << 4 | digits[usual, 1::2]))
        found.readable[places] = True
        return np.flatnonzero(~found.readable)

    def _begin_as_usual(self, begins: Bytes) -> Mask:
        ids = np.ascontiguousarray(begins[:, 1:HEAD_LENGTH]).view(">u4").ravel()
        known = np.zeros(len(begins), np.bool_)
        for schema_id in np.unique(ids[begins[:, 0] == 0]).tolist():
            if self._is_usual(schema_id):
                known |= ids == schema_id
        known &= begins[:, 0] == 0
        known &= (begins[:, _TEXT_HEADS] == _TEXT_HEAD).all(axis=1) & (begins[:, _DASHES] == ord("-")).all(axis=1)
        known &= (begins[:, _ENUM_AT] & (_MORE | 1)) == 0  # one byte, not negative
        known &= ((begins[:, _TIME_AT:-1] & _MORE) != 0).all(axis=1) & (begins[:, -1] < _MORE)
        return known

    def _is_usual(self, schema_id: int) -> bool:
        if schema_id not in self._usual:
            self._usual[schema_id] = begins_as_usual(self._schema_of(schema_id))
        return self._usual[schema_id]

    def _read_one(self, value: bytes | None, place: int, found: Decoded) -> None:
        import fastavro

        if value is None or len(value) <= HEAD_LENGTH or value[0] != 0:
            return
        schema = self._schema_of(int.from_bytes(value[1:HEAD_LENGTH], "big"))
        if schema is None:
            return
        stream = io.BytesIO(value)
        stream.seek(HEAD_LENGTH)
        try:
            datum = fastavro.schemaless_reader(stream, schema, None, handle_unicode_errors="replace")
        except _DECODING_ERRORS:
            return
        moment = datum.get("event_timestamp") if isinstance(datum, dict) else None
        if not isinstance(moment, int):
            return
        found.time_ms[place] = moment
        found.shorts[place] = _short_of_text(datum.get("event_id"))
        found.readable[place] = True


def begins_as_usual(schema: Any) -> bool:
    """Whether the schema's records begin with three texts, an enum and the time, as `_read_usual` takes for granted."""
    fields = schema.get("fields", []) if isinstance(schema, dict) else []
    wanted = ["event_id", "user_id", "session_id", "event_type", "event_timestamp"]
    if [field["name"] for field in fields[: len(wanted)]] != wanted:
        return False
    types = [field["type"] for field in fields[: len(wanted)]]
    symbols = types[3].get("symbols", []) if isinstance(types[3], dict) else []
    texts = [_plain(one) for one in types[:3]]
    return texts == ["string"] * 3 and 0 < len(symbols) <= _ONE_BYTE_SYMBOLS and _plain(types[4]) == "long"


def _plain(avro_type: Any) -> Any:
    return avro_type.get("type") if isinstance(avro_type, dict) else avro_type


def _times(written: Bytes) -> Ints:
    """Avro's zigzag variable-length integers of `_TIME_BYTES` bytes each."""
    zigzag = np.zeros(len(written), np.int64)
    for number in range(_TIME_BYTES):
        zigzag |= (written[:, number] & (_MORE - 1)).astype(np.int64) << (7 * number)
    return (zigzag >> 1) ^ -(zigzag & 1)


def _short_of_text(text: Any) -> int:
    try:
        raw = uuid.UUID(text).bytes
    except (ValueError, AttributeError, TypeError):
        return 0
    return int(short(hash_of_bytes(np.frombuffer(raw, np.uint8).reshape(1, 16)))[0])
