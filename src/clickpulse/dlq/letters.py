"""One letter of the dead-letter topic as a model, whether Clickpulse or Kafka Connect described it.

Kafka Connect's own headers are all text: `__connect.errors.topic`, `….partition`, `….offset`, `….stage`
(`VALUE_CONVERTER`: unreadable; `TRANSFORMATION`: without a value; `TASK_PUT`: refused by ClickHouse or the connector,
with all of its insert), `….exception.class.name`, `….exception.message` and `….exception.stacktrace`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from clickpulse import dead_letters as names

CONNECT = "__connect.errors."
CONNECT_COMPONENT = "connect"
UNDESCRIBED = "undescribed"
"""The class of a message without the headers of a dead letter."""

_OWN = frozenset(
    {
        names.TOPIC, names.PARTITION, names.OFFSET, names.TIMESTAMP, names.REASON, names.ERROR_CLASS, names.COMPONENT,
        names.CONTENT_TYPE, names.ORIGINAL_BYTES, names.REDRIVEN_FROM, names.ATTEMPT,
    }
)  # fmt: skip
_HEAD_LENGTH = 5
_NO_SCHEMA = "NotFoundException"
"""What Apicurio's converter fails with on an id that the registry does not know."""

Headers = Sequence[tuple[str, bytes | None]]


class Message(Protocol):
    """What is used of a confluent-kafka message."""

    def value(self) -> bytes | None: ...
    def key(self) -> bytes | None: ...
    def partition(self) -> int: ...
    def offset(self) -> int: ...
    def timestamp(self) -> tuple[int, int]: ...
    def headers(self) -> Headers | None: ...


@dataclass(frozen=True, slots=True)
class Letter:
    """A message of the dead-letter topic.

    `partition` and `offset` are its own place, `origin` is that of the message it was (None: it never was in a topic).
    `timestamp_ms` is Kafka's, the original message's; None where there is none. `headers` are the original ones.
    `attempt` is how often it had been redriven before it was set aside this time.
    """

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    timestamp_ms: int | None
    topic: str
    origin: tuple[int, int] | None
    set_aside_at: datetime | None
    reason: str
    error_class: str
    component: str
    attempt: int = 0
    redriven_from: str | None = None
    content_type: str | None = None
    original_bytes: int | None = None

    @property
    def place(self) -> str:
        """`<partition>/<offset>` in the dead-letter topic: what people and `dlq.redriven_from` call it."""
        return f"{self.partition}/{self.offset}"

    @property
    def identity(self) -> str:
        """The same for each letter of one message. The time tells it from one in a topic that was made anew."""
        where = f"{self.topic}/{self.origin[0]}/{self.origin[1]}" if self.origin else f"letter/{self.place}"
        return f"{where}@{self.timestamp_ms}"

    @property
    def unsendable(self) -> str:
        """Why it can't be sent again as it is; empty if it can."""
        if not self.topic:
            return "its headers name no topic"
        if self.content_type is not None:
            return f"it was never serialized: its value is {self.content_type}, which only a mapping makes an event of"
        if self.original_bytes is not None:
            return f"only {len(self.value or b'')} of its {self.original_bytes} bytes were kept"
        return ""


def parse_letter(message: Message) -> Letter:
    """Read the headers; what is missing or makes no sense is left out."""
    headers = message.headers() or ()
    last = dict(headers)
    # A message that was copied out of a dead-letter topic may bring old headers: those written last describe it.
    order = {name: number for number, (name, _) in enumerate(headers)}
    by_connect = order.get(f"{CONNECT}topic", -1) > order.get(names.TOPIC, -1)
    kind, timestamp_ms = message.timestamp()
    described = _of_connect(last, message.value()) if by_connect else _described(last)
    prefix = CONNECT if by_connect else "dlq."
    attempt = _number(last, names.ATTEMPT)
    return Letter(
        partition=message.partition(),
        offset=message.offset(),
        key=message.key(),
        value=message.value(),
        headers=tuple((name, value) for name, value in headers if name not in _OWN and not name.startswith(CONNECT)),
        timestamp_ms=timestamp_ms if kind and timestamp_ms >= 0 else None,
        topic=_text(last, f"{prefix}topic"),
        origin=_origin(last, prefix),
        set_aside_at=None if by_connect else _moment(_text(last, names.TIMESTAMP)),
        reason=described[0],
        error_class=described[1],
        component=described[2],
        # A header of this name that is no number: it was redriven, who knows how often.
        attempt=(attempt or 1) if names.ATTEMPT in last else 0,
        redriven_from=_text(last, names.REDRIVEN_FROM) or None,
        content_type=_text(last, names.CONTENT_TYPE) or None,
        original_bytes=_number(last, names.ORIGINAL_BYTES),
    )


def _described(headers: Mapping[str, bytes | None]) -> tuple[str, str, str]:
    return (
        _text(headers, names.REASON) or "no header says why",
        _text(headers, names.ERROR_CLASS) or UNDESCRIBED,
        _text(headers, names.COMPONENT) or "unknown",
    )


def _of_connect(headers: Mapping[str, bytes | None], value: bytes | None) -> tuple[str, str, str]:
    exception = _text(headers, f"{CONNECT}exception.class.name").rpartition(".")[2]
    message = " ".join(_text(headers, f"{CONNECT}exception.message").split())
    reason = f"{exception}: {message}" if message else exception or "no header says why"
    trace = _text(headers, f"{CONNECT}exception.stacktrace")
    return (
        reason[: names.MAX_REASON_LENGTH],
        _class_of_connect(_text(headers, f"{CONNECT}stage"), trace + reason, value),
        CONNECT_COMPONENT,
    )


def _class_of_connect(stage: str, trace: str, value: bytes | None) -> str:
    """The embedded sink's words for the same faults."""
    if value is None:
        return "null-value"
    if stage == "TASK_PUT":
        return "refused-insert"
    if stage.endswith("_CONVERTER"):
        if len(value) <= _HEAD_LENGTH or value[0] != 0:
            return "not-wire-format"
        return "unknown-schema" if _NO_SCHEMA in trace else "malformed-avro"
    return "unusable-schema"


def _origin(headers: Mapping[str, bytes | None], prefix: str) -> tuple[int, int] | None:
    partition, offset = _number(headers, f"{prefix}partition"), _number(headers, f"{prefix}offset")
    return None if partition is None or offset is None else (partition, offset)


def _text(headers: Mapping[str, bytes | None], name: str) -> str:
    return (headers.get(name) or b"").decode("utf-8", "replace")


def _number(headers: Mapping[str, bytes | None], name: str) -> int | None:
    text = _text(headers, name)
    return int(text) if text.isascii() and text.isdecimal() else None


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else None
