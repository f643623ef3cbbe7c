"""A letter's payload through a mapping, the same YAML as `clickpulse replay`: an event of the current schema."""

from __future__ import annotations

import uuid
from typing import Any

from clickpulse.dlq.letters import Letter
from clickpulse.dlq.payload import SchemaOf, decode
from clickpulse.dlq.sending import Outgoing
from clickpulse.errors import BadRecordError
from clickpulse.future import FutureLimit
from producer.interaction import Interaction
from producer.mapping import Mapping
from producer.row_mapper import RowMapper
from producer.wire import Encoder

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:clickpulse:redriven-event")


class Remapping:
    """Makes events of letters.

    Args:
        mapping: what the payload's fields mean.
        schema_of: to decode with, as `payload.decode` wants it.
        encoder: of the current schema.
        future: how far ahead of the clock an event may be.
    """

    def __init__(self, mapping: Mapping, schema_of: SchemaOf, encoder: Encoder, future: FutureLimit) -> None:
        self._name = mapping.name
        self._mapper = RowMapper(mapping)
        self._schema_of = schema_of
        self._encoder = encoder
        self._future = future

    def outgoing(self, letter: Letter) -> Outgoing:
        """The event, with the key and the Kafka timestamp that the producer would give it.

        The `event_id` is the payload's, where it has a valid one; otherwise one that is always the same for the letter.

        Raises:
            BadRecordError: the payload can't be read to its end, or does not fit the mapping.
            TransientError: the registry does not answer.
        """
        row = self._row(letter)
        missing = [column for column in self._mapper.columns if column not in row]
        if missing:
            raise _unfit(f"it has no field {', '.join(missing)}; it has {', '.join(sorted(row)) or 'none'}")
        mapped = self._mapper.map([row[column] for column in self._mapper.columns])
        time_ms, user_id, session_id, event_type, latency, status, code, product = mapped
        if ahead := self._future.fault(time_ms):
            raise _unfit(ahead)
        event = Interaction(
            self._event_id(row, letter), user_id, session_id, event_type, time_ms, latency, status, code, product
        )
        return Outgoing(letter.topic, user_id.encode(), self._encoder.encode(event), time_ms, letter.headers)

    def _row(self, letter: Letter) -> dict[str, Any]:
        payload = decode(letter.value, self._schema_of)
        if payload.fault:
            raise _unfit(f"its payload can't be read: {payload.fault}")
        if not isinstance(payload.content, dict):
            raise _unfit("its payload is no record: a mapping needs fields with names")
        return payload.content

    def _event_id(self, row: dict[str, Any], letter: Letter) -> str:
        try:
            return str(uuid.UUID(str(row.get("event_id"))))
        except ValueError:
            return str(uuid.uuid5(_NAMESPACE, f"{self._name} {letter.identity}"))


def _unfit(reason: str) -> BadRecordError:
    return BadRecordError(reason, "unmappable-letter")
