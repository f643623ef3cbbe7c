"""Dead letters of the producer: what can't be sent is kept with the reason, not dropped.

Headers as of every part: `dlq.topic`, `dlq.partition`, `dlq.offset`, `dlq.timestamp` (the event's, ISO 8601),
`dlq.reason`, `dlq.error_class`, `dlq.component`. A message that never got into Kafka has partition and offset -1.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import KafkaError

from producer.interaction import Interaction

COMPONENT = "producer"

REFUSED = {
    KafkaError.MSG_SIZE_TOO_LARGE: "message-too-large",
    KafkaError.INVALID_MSG: "refused-by-broker",
    KafkaError.INVALID_RECORD: "refused-by-broker",
    KafkaError.INVALID_TIMESTAMP: "invalid-timestamp",
    KafkaError._INVALID_DIFFERENT_RECORD: "refused-by-broker",  # noqa: SLF001 - in a batch with such a one
}
"""What the broker says of a message that it will never take, and the class of the dead letter."""


def headers(topic: str, timestamp_ms: int, reason: str, error_class: str) -> list[tuple[str, bytes]]:
    values = {
        "dlq.topic": topic,
        "dlq.partition": "-1",
        "dlq.offset": "-1",
        "dlq.timestamp": _iso(timestamp_ms),
        "dlq.reason": reason,
        "dlq.error_class": error_class,
        "dlq.component": COMPONENT,
    }
    return [(name, value.encode("utf-8", "backslashreplace")) for name, value in values.items()]


def as_bytes(event: Interaction) -> bytes:
    """An event that could not be serialized, as JSON: there are no original bytes."""
    return json.dumps(event._asdict(), default=_text).encode("utf-8", "backslashreplace")


def cut_to_fit(value: bytes, limit: int) -> tuple[bytes, list[tuple[str, bytes]]]:
    """The start of a value that even the dead-letter topic would refuse, with a header that says so."""
    if len(value) <= limit:
        return value, []
    return value[:limit], [("dlq.original_bytes", str(len(value)).encode())]


def _iso(timestamp_ms: Any) -> str:
    try:
        return datetime.fromtimestamp(timestamp_ms / 1000, UTC).isoformat(timespec="milliseconds")
    except (TypeError, ValueError, OverflowError, OSError):
        return "unknown"  # the timestamp may be what is wrong with the event


def _text(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
