"""What of the producer's own doing becomes a dead letter: what can't be sent is kept with the reason, not dropped."""

from __future__ import annotations

import json

from confluent_kafka import KafkaError

from clickpulse.dead_letters import JSON_TYPE, DeadLetter
from clickpulse.errors import BadRecordError
from clickpulse.future import FUTURE_TIMESTAMP
from producer.interaction import Interaction

COMPONENT = "producer"

REFUSED = {
    KafkaError.MSG_SIZE_TOO_LARGE: "message-too-large",
    KafkaError.INVALID_MSG: "refused-by-broker",
    # An event's topic asks nothing else of a record.
    KafkaError.INVALID_RECORD: FUTURE_TIMESTAMP,
    KafkaError.INVALID_TIMESTAMP: FUTURE_TIMESTAMP,
    KafkaError._INVALID_DIFFERENT_RECORD: "refused-by-broker",  # noqa: SLF001 - in a batch with such a one
}
"""What the broker says of a message that it will never take, and the class of the dead letter."""

_FUTURE = (
    "the broker's clock is behind it by more than message.timestamp.after.max.ms, an hour if not set otherwise: "
    "compare both clocks"
)


def refusal(error: KafkaError) -> str:
    """The reason of a letter that Kafka refused, `error` being one of `REFUSED`."""
    said = f"Kafka refuses it: {error.str()}"
    return f"{said}; {_FUTURE}" if REFUSED[error.code()] == FUTURE_TIMESTAMP else said


def of_event(topic: str, event: Interaction, error: BadRecordError) -> DeadLetter:
    """An event that could not be serialized, as JSON: there are no original bytes."""
    timestamp = event.event_timestamp
    return DeadLetter(
        topic=topic,
        key=str(event.user_id).encode("utf-8", "backslashreplace"),
        value=json.dumps(event._asdict(), default=str).encode("utf-8", "backslashreplace"),
        reason=error.reason,
        error_class=error.error_class,
        component=COMPONENT,
        timestamp_ms=timestamp if isinstance(timestamp, int) and timestamp > 0 else None,
        content_type=JSON_TYPE,
    )


def of_value(
    topic: str, key: bytes | None, value: bytes, *, timestamp_ms: int | None, reason: str, error_class: str
) -> DeadLetter:
    """A serialized event that Kafka does not take."""
    return DeadLetter(
        topic=topic,
        key=key,
        value=value,
        reason=reason,
        error_class=error_class,
        component=COMPONENT,
        timestamp_ms=timestamp_ms,
    )
