"""The member of the sink's consumer group, and its commits.

The driver lets one thread at a time into a consumer, and a polling thread keeps all others out: only the thread that
polls may use it. Hence commits are sent from there and answered in its polls.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from clickpulse.settings import KafkaSettings, SinkSettings
from connect.sink.status import KAFKA, Status

SESSION_MS = 10_000
"""A killed member's partitions are free after this."""
STATIC_SESSION_MS = 45_000
"""With an instance id the same sink takes them back at once, so the session may outlive a broker's restart."""
RETRY_SECONDS = 0.5
# The driver's own names of errors begin with an underscore.
_UNREACHABLE = frozenset({KafkaError._ALL_BROKERS_DOWN, KafkaError._AUTHENTICATION, KafkaError._SSL})  # noqa: SLF001
_NO_LONGER_OURS = frozenset(
    {
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.FENCED_INSTANCE_ID,
    }
)
log = structlog.get_logger()


def group_member(
    kafka: KafkaSettings,
    sink: SinkSettings,
    status: Status,
    on_commit: Callable[[KafkaError | None, list[TopicPartition]], None],
) -> Consumer:
    """A consumer of the sink's group, not subscribed yet.

    The queue is small enough to keep the sink's memory low, large enough for full batches.
    """

    def on_error(error: KafkaError) -> None:
        if error.code() in _UNREACHABLE:
            status.paused(KAFKA, f"Kafka: {error.str()}")

    config: dict[str, Any] = kafka.client_config() | {
        "group.id": sink.group_id,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        "allow.auto.create.topics": False,
        "session.timeout.ms": STATIC_SESSION_MS if sink.instance_id else SESSION_MS,
        "heartbeat.interval.ms": 2_000,
        "topic.metadata.refresh.interval.ms": 10_000,
        "queued.min.messages": 200_000,
        "queued.max.messages.kbytes": 32_768,
        "fetch.error.backoff.ms": 100,
        "error_cb": on_error,
        "on_commit": on_commit,
    }
    if sink.instance_id:
        config["group.instance.id"] = sink.instance_id
    return Consumer(config)


class Commits:
    """Offsets on their way to the broker, sent again until it has them. `answered` has to be the consumer's callback.

    Args:
        status: is told what was committed, and since when its messages waited.
        clock: monotonic seconds.
    """

    def __init__(self, topic: str, status: Status, clock: Callable[[], float] = time.monotonic) -> None:
        self._topic = topic
        self._status = status
        self._clock = clock
        self._pending: dict[int, int] = {}
        self._since: float | None = None
        self._in_flight = False
        self._retry_at = 0.0

    def add(self, consumer: Consumer, ends: Mapping[int, int], since: float | None = None) -> None:
        """Send the offsets at once; `since` is the moment from which the first of their messages may have waited."""
        self._pending.update(ends)
        self._since = since if self._since is None else self._since
        self._retry_at = 0.0
        self.tick(consumer)

    def tick(self, consumer: Consumer) -> None:
        """Send what is pending, if nothing is under way."""
        if not self._pending or self._in_flight or self._clock() < self._retry_at:
            return
        try:
            consumer.commit(offsets=self._offsets(), asynchronous=True)
        except KafkaException as error:
            self._failed(error.args[0])
        else:
            self._in_flight = True

    def answered(self, error: KafkaError | None, offsets: list[TopicPartition]) -> None:
        """The broker's answer."""
        self._in_flight = False
        failures = [error] if error is not None else [o.error for o in offsets if o.error is not None]
        if failures:
            self._failed(failures[0])
            return
        done = {offset.partition: offset.offset for offset in offsets}
        self._pending = {p: offset for p, offset in self._pending.items() if offset > done.get(p, -1)}
        self._status.committed(done)
        if not self._pending and self._since is not None:
            self._status.flushed(self._clock() - self._since)
            self._since = None

    def flush(self, consumer: Consumer) -> None:
        """Commit what is pending and wait for the answer; what the broker does not take is read and skipped again."""
        if not self._pending:
            return
        try:
            answers = consumer.commit(offsets=self._offsets(), asynchronous=False) or []
        except KafkaException as error:
            self.answered(error.args[0], [])
        else:
            self.answered(None, answers)

    def forget(self) -> None:
        """The partitions are another's now."""
        self._pending = {}
        self._since = None
        self._in_flight = False

    def _offsets(self) -> list[TopicPartition]:
        return [TopicPartition(self._topic, partition, offset) for partition, offset in self._pending.items()]

    def _failed(self, error: KafkaError) -> None:
        if error.code() in _NO_LONGER_OURS:
            # Nothing is lost by it: the next owner skips what is stored.
            log.warning("not committed: the partitions are another's now", reason=error.str())
            self.forget()
            return
        self._retry_at = self._clock() + RETRY_SECONDS
        self._status.paused(KAFKA, f"Kafka: committing offsets: {error.str()}")
