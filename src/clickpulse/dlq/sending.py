"""Messages written to Kafka, each with what became of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from clickpulse.dead_letters import DEAD_LETTER_MAX_BYTES
from clickpulse.settings import KafkaSettings

DELIVERY_SECONDS = 10.0
"""Then Kafka does not answer. Shorter than the lock lasts, so that nothing is sent by one who has lost it."""

_REFUSED = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.INVALID_MSG,
        KafkaError.INVALID_RECORD,
        KafkaError.INVALID_TIMESTAMP,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001 - the driver's own errors have such names
        KafkaError._INVALID_DIFFERENT_RECORD,  # noqa: SLF001
    }
)
"""With these nothing was written."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to be; `timestamp_ms` None is the moment it is sent."""

    topic: str
    key: bytes | None
    value: bytes | None
    timestamp_ms: int | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a message: where it is, or that Kafka refused it, or neither: that is not known."""

    place: tuple[int, int] | None = None
    refused: str = ""
    unknown: str = ""


class Sender:
    """Writes as the settings' user: idempotent, acknowledged by all replicas, a key's partition as the producer's."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._producer = Producer(
            settings.client_config()
            | {
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 5,
                "partitioner": "murmur2_random",
                "delivery.timeout.ms": int(DELIVERY_SECONDS * 1000),
                "message.max.bytes": DEAD_LETTER_MAX_BYTES,
            }
        )

    def send(self, messages: Sequence[Outgoing]) -> list[Sent]:
        """Write them in their order; returns when Kafka has answered each, or does not."""
        answers: list[Sent | None] = [None] * len(messages)
        for number, message in enumerate(messages):
            self._produce(message, number, answers)
        ended = self._flush()
        return [answer or Sent(unknown=ended) for answer in answers]

    def _flush(self) -> str:
        """Wait for the answers, and say why there may be some missing."""
        deadline = time.monotonic() + 2 * DELIVERY_SECONDS
        try:
            while self._producer.flush(0.2) and time.monotonic() < deadline:
                pass
        except KafkaException as error:  # the driver has given up, as where the user may write nothing at all
            return str(error.args[0].str())
        return "no answer"

    def _produce(self, message: Outgoing, number: int, answers: list[Sent | None]) -> None:
        def on_delivery(error: KafkaError | None, delivered: Any) -> None:
            if error is None:
                answers[number] = Sent(place=(delivered.partition(), delivered.offset()))
            elif error.code() in _REFUSED:
                answers[number] = Sent(refused=error.str())
            else:
                answers[number] = Sent(unknown=error.str())

        extra = {} if message.timestamp_ms is None else {"timestamp": message.timestamp_ms}
        try:
            self._producer.produce(
                message.topic,
                value=message.value,
                key=message.key,
                headers=list(message.headers),
                on_delivery=on_delivery,
                **extra,
            )
        except KafkaException as error:
            on_delivery(error.args[0], None)  # the driver itself does not take it
