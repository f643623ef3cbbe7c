"""Turns the rows of a file into interactions by a mapping, or says why one does not fit."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from clickpulse.events import PRODUCT_EVENT_TYPES, EventType, Status
from producer.conversions import UNIT_MS, empty, in_range, iso_ms, namespace_of, number_of, short, unfit
from producer.interaction import MAX_ERROR_CODE, MAX_LATENCY_MS, MIN_ERROR_CODE
from producer.mapping import IdSource, Mapping, NumberSource, OptionalSource, Source, TimeSource, as_text

Row = Sequence[Any]
Getter = Callable[[Row], Any]

_EXACT_DIGITS = 16
"""Longer numbers are no times; a float holds shorter ones exactly."""
_SEPARATOR = "\x1f"
"""Between the parts of a name that a UUID is made of; does not occur in data."""
_EVENT_TYPES = frozenset(map(str, EventType))
_STATUSES = frozenset(map(str, Status))
_WITH_PRODUCT = frozenset(map(str, PRODUCT_EVENT_TYPES))


class Mapped(NamedTuple):
    """A row that fits; everything of the event but its id and its time in the replay. Plain types only."""

    time_ms: int
    user_id: str
    session_id: str
    event_type: str
    request_latency_ms: int
    status: str
    error_code: int | None
    product_id: str | None


class RowMapper:
    """A compiled mapping. `columns` are the columns it needs; rows are given as their values in that order."""

    def __init__(self, mapping: Mapping) -> None:
        self.columns: list[str] = []
        fields = mapping.fields
        self._time = self._time_getter(fields.event_timestamp)
        self._user_id = self._id_getter("user_id", fields.user_id, mapping.name)
        self._session_id = self._id_getter("session_id", fields.session_id, mapping.name)
        self._event_type = self._word_getter("event_type", fields.event_type, _EVENT_TYPES)
        self._latency = self._latency_getter(fields.request_latency_ms)
        self._status = self._word_getter("status", fields.status, _STATUSES)
        self._error_code = self._optional_getter("error_code", fields.error_code)
        self._drop_code = fields.error_code is not None and fields.error_code.where_not_allowed == "drop"
        self._product_id = self._optional_getter("product_id", fields.product_id)
        self._drop_product = fields.product_id is not None and fields.product_id.where_not_allowed == "drop"

    def map(self, row: Row) -> Mapped:
        """Map one row.

        Raises:
            BadRecordError: the reason names the field, the value and the column.
        """
        try:
            event_type, status = self._event_type(row), self._status(row)
            return Mapped(
                self._time(row),
                self._user_id(row),
                self._session_id(row),
                event_type,
                self._latency(row),
                status,
                self._code_of(row, status),
                self._product_of(row, event_type),
            )
        except UnicodeEncodeError as error:
            raise unfit(f"{error.object!r} is not valid text in the file's encoding") from error

    def _code_of(self, row: Row, status: str) -> int | None:
        if status != Status.ERROR and self._drop_code:
            return None
        text = self._error_code(row)
        if text is None:
            return None
        if status != Status.ERROR:
            raise unfit(f"error_code {text} with status {status}: it is only allowed with ERROR")
        code = number_of("error_code", text)
        if not code.is_integer() or not MIN_ERROR_CODE <= code <= MAX_ERROR_CODE:
            raise unfit(f"error_code {text} is not a whole number from {MIN_ERROR_CODE} to {MAX_ERROR_CODE}")
        return int(code)

    def _product_of(self, row: Row, event_type: str) -> str | None:
        if event_type not in _WITH_PRODUCT and self._drop_product:
            return None
        product: str | None = self._product_id(row)
        if product is None:
            return None
        if event_type not in _WITH_PRODUCT:
            allowed = " and ".join(sorted(_WITH_PRODUCT))
            raise unfit(f"product_id {short(product)} with event_type {event_type}: it is only allowed with {allowed}")
        product.encode()  # text that is not valid Unicode is refused here
        return product

    def _index(self, column: str) -> int:
        if column not in self.columns:
            self.columns.append(column)
        return self.columns.index(column)

    def _text_getter(self, field: str, source: Source) -> Getter:
        """The value as text, or None if it is empty and there is no default."""
        if source.column is None:
            constant = source.constant
            return lambda _row: constant
        index, column, default = self._index(source.column), source.column, source.default
        if source.map is None:
            return lambda row: text if (text := as_text(row[index])) is not None else default
        table = {key: as_text(value) for key, value in source.map.items()}

        def look_up(row: Row) -> str | None:
            text = as_text(row[index])
            if text in table:
                return table[text]
            if text is not None and default is None:
                raise unfit(
                    f"{field}: the map has no entry for {short(text)} of column {column} and there is no default"
                )
            return default

        return look_up

    def _word_getter(self, field: str, source: Source, known: frozenset[str]) -> Getter:
        get = self._text_getter(field, source)

        def word(row: Row) -> str:
            text: str | None = get(row)
            if text in known:
                return text
            if text is None:
                raise empty(field, source.column)
            raise unfit(f"{field} {short(text)} is not one of {', '.join(sorted(known))}")

        return word

    def _latency_getter(self, source: NumberSource) -> Getter:
        get, scale = self._text_getter("request_latency_ms", source), source.scale

        def latency(row: Row) -> int:
            text = get(row)
            if text is None:
                raise empty("request_latency_ms", source.column)
            number = number_of("request_latency_ms", text) * scale
            if not 0 <= number <= MAX_LATENCY_MS:
                raise unfit(f"request_latency_ms {short(text)} x {scale:g} is not from 0 to {MAX_LATENCY_MS}")
            return round(number)

        return latency

    def _optional_getter(self, field: str, source: OptionalSource | None) -> Getter:
        return (lambda _row: None) if source is None else self._text_getter(field, source)

    def _id_getter(self, field: str, source: IdSource, mapping_name: str) -> Getter:
        if source.constant is not None:
            constant = str(source.constant)
            return lambda _row: constant
        if source.column is not None:
            return self._uuid_column(field, source.column)
        columns = source.uuid5 or []
        indexes = [self._index(column) for column in columns]
        namespace = namespace_of(source.namespace or mapping_name)
        make = lru_cache(maxsize=4096)(lambda name: str(uuid.uuid5(namespace, name)))

        def made(row: Row) -> str:
            values = [as_text(row[index]) for index in indexes]
            if None in values:
                raise empty(field, columns[values.index(None)])
            return make(_SEPARATOR.join(values))  # type: ignore[arg-type]

        return made

    def _uuid_column(self, field: str, column: str) -> Getter:
        index = self._index(column)

        def parsed(row: Row) -> str:
            text = as_text(row[index])
            if text is None:
                raise empty(field, column)
            try:
                return str(uuid.UUID(text))
            except ValueError:
                raise unfit(
                    f"{field} {short(text)} of column {column} is not a UUID; uuid5 makes one of any value"
                ) from None

        return parsed

    def _time_getter(self, source: TimeSource) -> Getter:
        column = source.column or source.offset_column or ""
        index = self._index(column)
        if source.unit == "iso":
            zone = ZoneInfo(source.time_zone) if source.time_zone else None
            return lambda row: in_range(iso_ms(row[index], column, zone), row[index])
        base_ms = 0 if source.base is None else round(source.base.timestamp() * 1000)
        factor = UNIT_MS[source.unit]

        def numeric(row: Row) -> int:
            text = as_text(row[index])
            if text is None:
                raise empty("event_timestamp", column)
            if factor == 1.0 and text.isdecimal() and len(text) < _EXACT_DIGITS:
                return in_range(base_ms + int(text), text)
            return in_range(base_ms + round(number_of("event_timestamp", text) * factor), text)

        return numeric
