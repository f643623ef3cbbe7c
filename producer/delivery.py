"""Delivery of events to Kafka: an event counts as sent when Kafka has acknowledged it, not before.

The producer is idempotent and waits for all in-sync replicas. What Kafka will never take (too large, not
serializable) goes to the dead-letter topic; while Kafka is away events wait in memory, up to the delivery timeout, and
once the memory allowed is full `send` waits as well.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog
from confluent_kafka import KafkaError, KafkaException, Producer

from clickpulse.dead_letters import DEAD_LETTER_MAX_BYTES, DeadLetter
from clickpulse.errors import BadRecordError, ClickpulseError, ConfigurationError, TransientError
from clickpulse.settings import KafkaSettings, ProducerSettings
from producer import dead_letters
from producer.interaction import Interaction
from producer.outage import Outage
from producer.tally import MINUTE_MS, Tallies, Tally
from producer.wire import Encoder

log = structlog.get_logger()

_SERVE_EVERY = 1000
"""Events between two looks at the delivery reports: they hold memory until they are served."""
_WAIT_SECONDS = 0.1

_CONFIGURATION_ERRORS = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001 - librdkafka's local errors have such names
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
        KafkaError._AUTHENTICATION,  # noqa: SLF001
    }
)


class Delivery:
    """Sends events and keeps the account. Use from one thread.

    Args:
        kafka: broker and topics.
        settings: buffering, compression and limits.
        encoder: serializes the events.
        give_up: asked several times a second while Kafka is waited for; when true, what it has not answered is
            abandoned and counts as failed.
        keep_minutes: how many minutes the account tells apart; None for all.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        settings: ProducerSettings,
        encoder: Encoder,
        *,
        give_up: Callable[[], bool] = lambda: False,
        keep_minutes: int | None = None,
    ) -> None:
        self.generated = 0
        self.dead_lettered = 0
        self.failed = 0
        self.tallies = Tallies(self._undelivered, keep_minutes=keep_minutes)
        self._kafka = kafka
        self._settings = settings
        self._encode = encoder.encode
        self._give_up = give_up
        self._last_error = "no answer"
        self._stop_reason: ConfigurationError | TransientError | None = None
        self._producer = Producer(self._config())
        self._produce = self._producer.produce
        self._since_served = 0
        self._minute = -1
        self._current: dict[str, Tally] = {}
        self._unsendable: list[tuple[Any, KafkaError]] = []
        self._outage = Outage()

    def _config(self) -> dict[str, Any]:
        return self._kafka.client_config() | {
            "enable.idempotence": True,
            "acks": "all",
            "compression.type": self._settings.compression,
            "linger.ms": self._settings.linger_ms,
            "delivery.timeout.ms": self._settings.delivery_timeout_ms,
            "queue.buffering.max.messages": self._settings.max_buffered_events,
            "queue.buffering.max.kbytes": 1024 * 1024,
            "batch.num.messages": 10_000,
            # Dead letters may be larger than events; `send_encoded` limits these, `batch.size` the batches.
            "message.max.bytes": DEAD_LETTER_MAX_BYTES,
            "batch.size": min(self._settings.max_event_bytes, 1_000_000),
            # The partitioner of the Java clients: every client puts a user into the same partition.
            "partitioner": "murmur2_random",
            # librdkafka's own lines on stderr repeat several times a second; the last error is logged with the pause.
            "log_level": 0,
            "error_cb": self._on_error,
        }

    def send(self, event: Interaction) -> None:
        """Hand one event over. Events of a user must come in order of their time.

        Raises:
            ConfigurationError: Kafka refuses the client or the topic.
            TransientError: the client can't go on and has to be started anew.
        """
        try:
            value = self._encode(event)
        except BadRecordError as error:
            self.generated += 1
            self._dead_letter(dead_letters.of_event(self._kafka.topic, event, error))
            return
        self.send_encoded(event.event_type, event.event_timestamp, event.user_id.encode(), value)

    def send_encoded(self, event_type: str, timestamp_ms: int, key: bytes, value: bytes) -> None:
        """Hand over an event that is serialized already; `timestamp_ms` becomes Kafka's. Raises as `send`."""
        self.generated += 1
        if len(value) > self._settings.max_event_bytes:
            limit = self._settings.max_event_bytes
            reason = f"the event has {len(value)} bytes, PRODUCER_MAX_EVENT_BYTES allows {limit}"
            self._set_aside(key, value, timestamp_ms, reason, "message-too-large")
            return
        minute = timestamp_ms // MINUTE_MS
        if minute != self._minute:
            self._current = self.tallies.of_minute(minute)
            self._minute = minute
        callback = self._current[event_type].delivered
        try:
            self._produce(self._kafka.topic, value, key, -1, callback, timestamp=timestamp_ms)
        except (BufferError, KafkaException):
            self._enqueue(self._kafka.topic, value, key, -1, callback, timestamp=timestamp_ms)
        self._since_served += 1
        if self._since_served >= _SERVE_EVERY:
            self.serve()

    def serve(self, wait_seconds: float = 0) -> None:
        """Take the delivery reports that have come, waiting for the first one at most `wait_seconds`.

        Raises:
            ConfigurationError, TransientError: as `send`.
        """
        self._since_served = 0
        self._producer.poll(wait_seconds)
        self._after_reports()
        if self._stop_reason is not None:
            raise self._stop_reason

    def flush(self) -> None:
        """Wait until Kafka has answered everything, which takes at most the delivery timeout."""
        while self.outstanding:
            if self._give_up():
                log.warning("flush_abandoned", outstanding=self.outstanding)
                self._producer.purge()
            self._producer.flush(_WAIT_SECONDS)
            self._after_reports()

    @property
    def outstanding(self) -> int:
        """Events and dead letters that Kafka has not answered yet."""
        return len(self._producer) + len(self._unsendable)

    def _after_reports(self) -> None:
        # Not in the delivery callback itself: producing may have to wait for further callbacks.
        unsendable, self._unsendable = self._unsendable, []
        for message, error in unsendable:
            # librdkafka does not tell a refused message's timestamp; the event's own is in the value.
            error_class = dead_letters.REFUSED[error.code()]
            self._set_aside(message.key(), message.value(), None, dead_letters.refusal(error), error_class)
        # The same number as the tallies' sum, without adding up a week of minutes a hundred times a second.
        acknowledged = self.generated - self.outstanding - self.dead_lettered - self.failed
        self._outage.watch(self.outstanding, acknowledged, self._last_error)

    def _enqueue(self, *message: Any, **more: Any) -> None:
        """Produce; while the buffer is full wait for delivery reports, which come at the delivery timeout at last."""
        while True:
            try:
                self._produce(*message, **more)
            except BufferError:
                if self._give_up():
                    self.failed += 1
                    return
            except KafkaException as error:
                self._refused(error.args[0])
                return
            else:
                return
            try:
                self.serve(_WAIT_SECONDS)
            except ClickpulseError:
                self.failed += 1
                raise

    def _set_aside(
        self, key: bytes | None, value: bytes, timestamp_ms: int | None, reason: str, error_class: str
    ) -> None:
        self._dead_letter(
            dead_letters.of_value(
                self._kafka.topic, key, value, timestamp_ms=timestamp_ms, reason=reason, error_class=error_class
            )
        )

    def _dead_letter(self, letter: DeadLetter) -> None:
        # Delivered like an event, so that `flush` and the account see it; the headers are the shared contract.
        message = (self._kafka.dead_letter_topic, letter.kept, letter.key, -1, self._on_dead_letter)
        self._enqueue(*message, timestamp=letter.timestamp_ms or 0, headers=letter.kafka_headers(datetime.now(UTC)))
        log.warning("dead_lettered", topic=letter.topic, reason=letter.reason, error_class=letter.error_class)

    def _on_dead_letter(self, error: KafkaError | None, _message: Any) -> None:
        if error is None:
            self.dead_lettered += 1
        else:
            self.failed += 1
            log.error("dead_letter_failed", topic=self._kafka.dead_letter_topic, error=error.str())
            self._check_configuration(error)

    def _undelivered(self, error: KafkaError, message: Any) -> None:
        """Delivery callback of an event that Kafka did not take."""
        if error.code() in dead_letters.REFUSED:
            self._unsendable.append((message, error))
            return
        self.failed += 1
        if self.failed == 1:  # the others of an outage have the same reason
            log.error("delivery_failed", error=error.str(), last_error=self._last_error)
        self._check_configuration(error)

    def _refused(self, error: KafkaError) -> None:
        """Not even the client takes it: the configuration is wrong or the client has come to its end."""
        self.failed += 1
        self._check_configuration(error)
        if self._stop_reason is None:
            self._stop_reason = _start_again(error)

    def _check_configuration(self, error: KafkaError) -> None:
        if error.code() in _CONFIGURATION_ERRORS:
            self._stop_reason = ConfigurationError(
                f"Kafka {self._kafka.bootstrap_servers} does not take events for {self._kafka.topic}: {error.str()}; "
                f"check KAFKA_TOPIC, the user and its rights"
            )

    def _on_error(self, error: KafkaError) -> None:
        """Librdkafka's report on connections; it goes on trying by itself."""
        self._last_error = error.str()
        if error.fatal():
            self._stop_reason = _start_again(error)


def _start_again(error: KafkaError) -> TransientError:
    return TransientError(f"the Kafka client can't go on ({error.str()}): start the command again")
