"""One batch from Kafka into ClickHouse: screened, its bad messages dead-lettered, the rest stored.

The order is what makes a kill harmless. A stored position says "everything up to here is dealt with", so a bad
message is in the dead-letter topic before anything behind it is inserted, and rows are inserted in their order.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import structlog

from clickpulse.dead_letters import DeadLetter
from clickpulse.errors import BadRecordError, TransientError
from clickpulse.future import FUTURE_TIMESTAMP
from connect.sink.batch import Batch, Message
from connect.sink.patience import Patience
from connect.sink.screening import HEAD_LENGTH, Screening
from connect.sink.writer import InsertRefusedError

COMPONENT = "sink"
MAX_SEGMENTS = 500
"""Of one insert: its numbering travels in the URL, which servers limit to some tens of kilobytes."""

log = structlog.get_logger()


class Writer(Protocol):
    def insert(self, batch: Batch) -> None: ...
    def stored_positions(self) -> dict[int, int]: ...


class DeadLetters(Protocol):
    def write(self, letters: Sequence[DeadLetter]) -> None: ...


class DeliveryListener(Protocol):
    def stored(self, rows: int, seconds: float) -> None: ...
    def dead_lettered(self, error_class: str) -> None: ...


class Delivery:
    """Delivers batches, one at a time.

    Args:
        writer: ClickHouse.
        screening: finds malformed messages.
        dead_letters: returns when the letters are acknowledged.
        listener: is told what was done.
    """

    def __init__(
        self,
        writer: Writer,
        screening: Screening,
        dead_letters: DeadLetters,
        listener: DeliveryListener,
    ) -> None:
        self._writer = writer
        self._screening = screening
        self._dead_letters = dead_letters
        self._listener = listener

    def deliver(self, batch: Batch, patience: Patience) -> None:
        """Return when every message is stored or dead-lettered: then its offset may be committed.

        Raises:
            AbandonedError: called off; the messages have to be read again.
        """
        good = self._set_aside(batch, self._screening.suspects(batch.messages), self._screening.head_fault, patience)
        self._store_or_isolate(good, patience)

    def _set_aside(
        self,
        batch: Batch,
        suspects: Sequence[Message],
        fault_of: Callable[[Message], BadRecordError | None],
        patience: Patience,
    ) -> Batch:
        """The batch without the suspects that have a fault, which are dead-lettered."""
        faults = [
            (message, fault)
            for message in suspects
            if (fault := patience.persist(partial(fault_of, message))) is not None
        ]
        if not faults:
            return batch
        self._dead_letter(faults, patience)
        bad = {(message.partition(), message.offset()) for message, _ in faults}
        return batch.filtered(lambda message: (message.partition(), message.offset()) not in bad)

    def _dead_letter(self, faults: Sequence[tuple[Message, BadRecordError]], patience: Patience) -> None:
        letters = [_letter(message, fault) for message, fault in faults]
        patience.persist(lambda: self._dead_letters.write(letters))
        for letter in letters:
            self._listener.dead_lettered(letter.error_class)
        log.warning(
            "dead-lettered",
            messages=len(letters),
            first_partition=letters[0].partition,
            first_offset=letters[0].offset,
            first_reason=letters[0].reason,
        )

    def _store_or_isolate(self, batch: Batch, patience: Patience) -> None:
        if not batch:
            return
        try:
            self._store(batch, patience)
        except InsertRefusedError as refusal:
            log.warning("insert refused", rows=len(batch), code=refusal.code, message=refusal.message)
            rest = self._not_stored(batch, patience)
            if refusal.concerns_time:
                # Decoding all of them takes longer than another insert.
                before = len(rest)
                rest = self._set_aside(rest, self._screening.ahead(rest.messages), self._screening.body_fault, patience)
                if len(rest) < before:
                    self._store_or_isolate(rest, patience)
                    return
            rest = self._set_aside(rest, rest.messages, self._screening.body_fault, patience)
            self._isolate(rest, patience, set())

    def _isolate(self, batch: Batch, patience: Patience, refused_heads: set[bytes]) -> None:
        """Store what ClickHouse takes, by halving what it refuses down to single messages, in order."""
        if refused_heads:
            known = [message for message in batch.messages if _head(message) in refused_heads]
            batch = self._set_aside(batch, known, _schema_fault, patience)
        if not batch:
            return
        try:
            self._store(batch, patience)
        except InsertRefusedError as refusal:
            batch = self._not_stored(batch, patience)
            if len(batch) > 1:
                for half in batch.halves():
                    self._isolate(half, patience, refused_heads)
                return
            message = batch.messages[0]
            fault = self._outlast(batch, patience) if refusal.concerns_registry else _refusal_fault(refusal)
            if fault is not None:
                self._dead_letter([(message, fault)], patience)
            if refusal.concerns_schema:
                refused_heads.add(_head(message))

    def _outlast(self, batch: Batch, patience: Patience) -> BadRecordError | None:
        """Store a whole message whose schema ClickHouse was told not to exist; its fault if that is so.

        A registry, or what stands before it, may answer so of every schema while it starts.
        """
        message = batch.messages[0]

        def attempt() -> BadRecordError | None:
            if (fault := self._screening.unknown_schema(message)) is not None:
                return fault
            rest = batch.not_stored(self._writer.stored_positions())
            began = time.monotonic()
            try:
                if rest:
                    self._writer.insert(rest)
            except InsertRefusedError as refusal:
                if not refusal.concerns_registry:
                    return _refusal_fault(refusal)
                raise TransientError(
                    f"ClickHouse is told that a schema does not exist, which does: {refusal.message}"
                ) from refusal
            self._listener.stored(len(rest), time.monotonic() - began)
            return None

        return patience.persist(attempt)

    def _store(self, batch: Batch, patience: Patience) -> None:
        """Insert, until it is known to be stored. Raises `InsertRefusedError` if the data is at fault."""
        if len(batch) > 1 and len(batch.segments().starts) > MAX_SEGMENTS:
            for half in batch.halves():
                self._store(half, patience)
            return
        tried = False

        def insert() -> None:
            nonlocal tried, batch
            if tried:
                # The answer to the last attempt was lost or unclear: it may have been stored.
                batch = batch.not_stored(self._writer.stored_positions())
            tried = True
            if batch:
                self._writer.insert(batch)

        began, rows = time.monotonic(), len(batch)
        patience.persist(insert)
        self._listener.stored(rows, time.monotonic() - began)

    def _not_stored(self, batch: Batch, patience: Patience) -> Batch:
        return batch.not_stored(patience.persist(self._writer.stored_positions))


def _head(message: Message) -> bytes:
    return (message.value() or b"")[:HEAD_LENGTH]


def _schema_fault(_message: Message) -> BadRecordError:
    return BadRecordError(
        "ClickHouse refused another message of the same schema: see the one before", "unusable-schema"
    )


def _refusal_fault(refusal: InsertRefusedError) -> BadRecordError:
    if refusal.concerns_time:
        error_class = FUTURE_TIMESTAMP
    else:
        error_class = "unusable-schema" if refusal.concerns_schema else "invalid-value"
    return BadRecordError(f"ClickHouse: {refusal.message}", error_class)


def _letter(message: Message, fault: BadRecordError) -> DeadLetter:
    kind, timestamp_ms = message.timestamp()
    return DeadLetter(
        topic=message.topic(),
        partition=message.partition(),
        offset=message.offset(),
        timestamp_ms=timestamp_ms if kind and timestamp_ms >= 0 else None,
        key=message.key(),
        value=message.value(),
        headers=tuple(message.headers() or ()),
        reason=fault.reason,
        error_class=fault.error_class,
        component=COMPONENT,
    )
