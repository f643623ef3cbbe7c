"""The sink's loop: polls Kafka, fills the next batch while the last one is delivered, reacts to rebalances.

Two threads. This one polls, so that the group membership stays whatever the dependencies do, and commits; a worker
delivers one batch at a time. While the worker is held up and the buffer is full, the partitions are paused.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from clickpulse.errors import ConfigurationError
from connect.sink.batch import Batch, Buffer
from connect.sink.consumer import Commits
from connect.sink.patience import AbandonedError, Patience
from connect.sink.status import KAFKA, Status

POLL_ROWS = 10_000
BUSY_POLL_SECONDS = 0.02
HELD_POLL_SECONDS = 0.1
HOLD_SECONDS = 1.0
"""How long a full buffer waits for the worker without polling; then the partitions are paused."""
REVOKE_SECONDS = 10.0
"""For the flush when partitions are taken away; the rest is left to their next owner."""
WATERMARK_SECONDS = 1.0
_FATAL = frozenset({KafkaError._FATAL, KafkaError.FENCED_INSTANCE_ID})  # noqa: SLF001 - the driver's name

log = structlog.get_logger()


@dataclass(frozen=True)
class _Job:
    """What the worker does just now."""

    future: Future[Any]
    patience: Patience
    batch: Batch | None = None
    since: float | None = None


class Runner:
    """Runs until told to stop.

    Args:
        consumer: not subscribed yet; auto-commit off.
        topic: to read.
        buffer: empty.
        commits: whose callback the consumer has.
        deliver: delivers a batch; raises `AbandonedError` when called off.
        find_start: gives the first offset of each of the partitions; likewise.
        status: is told what goes on.
        stop_seconds: for the last flush.
    """

    def __init__(
        self,
        consumer: Consumer,
        topic: str,
        buffer: Buffer,
        *,
        commits: Commits,
        deliver: Callable[[Batch, Patience], None],
        find_start: Callable[[Sequence[int], Patience], Mapping[int, int]],
        status: Status,
        stop_seconds: float,
    ) -> None:
        self._consumer = consumer
        self._topic = topic
        self._buffer = buffer
        self._commits = commits
        self._deliver = deliver
        self._find_start = find_start
        self._status = status
        self._stop_seconds = stop_seconds
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="delivery")
        self._delivering: _Job | None = None
        self._starting: _Job | None = None
        self._assigned: list[int] = []
        self._paused = False
        self._watermarks_at = 0.0

    def run(self, stop: threading.Event) -> None:
        """Return after `stop` is set, with everything flushed that could be, and out of the group.

        Raises:
            ConfigurationError: the broker refuses this consumer for good.
        """
        self._consumer.subscribe(
            [self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )
        try:
            while not stop.is_set():
                self._turn()
            self._flush(self._stop_seconds)
        finally:
            self._abandon()
            self._consumer.close()
            self._worker.shutdown()

    def _turn(self) -> None:
        self._settle()
        self._commits.tick(self._consumer)
        full = not self._buffer.room
        if self._buffer and self._delivering is None and (full or time.monotonic() >= self._buffer.due_at):
            self._hand_over()
        elif full:
            self._hold()
        else:
            self._poll(self._poll_seconds())

    def _poll_seconds(self) -> float:
        if self._delivering is not None or self._starting is not None:
            return BUSY_POLL_SECONDS
        return self._buffer.due_at - time.monotonic() if self._buffer else self._buffer.max_seconds

    def _poll(self, seconds: float) -> None:
        began = time.monotonic()
        try:
            polled = self._consumer.consume(min(POLL_ROWS, max(1, self._buffer.room)), max(0.0, seconds))
        except KafkaException as error:
            raise ConfigurationError(f"Kafka refuses the sink: {error}") from error
        messages = [message for message in polled if message.error() is None]
        if messages:
            self._buffer.add(messages, since=began)
            self._status.resumed(KAFKA)
        for message in polled:
            if message.error() is not None:
                self._consumer_error(message.error())
        self._status.polled(self._waiting_since())
        self._watch_broker()

    def _waiting_since(self) -> float | None:
        if self._delivering is not None:
            return self._delivering.since
        return self._buffer.since if self._buffer else None

    def _consumer_error(self, error: KafkaError) -> None:
        if error.fatal() or error.code() in _FATAL:
            raise ConfigurationError(
                f"Kafka refuses the sink: {error.str()}; each sink of a group needs a SINK_INSTANCE_ID of its own"
            )
        self._status.paused(KAFKA, f"Kafka: {error.str()}")

    def _watch_broker(self) -> None:
        """Once a second: how far the partitions reach, and whether a broker that was lost is back."""
        now = time.monotonic()
        if now - self._watermarks_at < WATERMARK_SECONDS:
            return
        self._watermarks_at = now
        if self._status.is_paused(KAFKA):
            self._ask_broker()
        highs = {}
        for partition in self._assigned:
            known = self._consumer.get_watermark_offsets(TopicPartition(self._topic, partition), cached=True)
            if known is not None and known[1] >= 0:
                highs[partition] = known[1]
        self._status.high_watermarks(highs)

    def _ask_broker(self) -> None:
        try:
            topic = self._consumer.list_topics(self._topic, timeout=0.5).topics[self._topic]
        except KafkaException as error:
            self._status.paused(KAFKA, f"Kafka: {error.args[0].str()}")
            return
        if topic.error is None:
            self._status.resumed(KAFKA)

    def _hand_over(self) -> None:
        since = self._buffer.since
        batch = self._buffer.take()
        patience = Patience(self._status)
        self._delivering = _Job(self._submit(self._deliver, batch, patience), patience, batch, since)

    def _submit(self, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Let the worker do it, with this thread's logging context."""
        return self._worker.submit(copy_context().run, work, *arguments)

    def _hold(self) -> None:
        """The buffer is full and the worker busy."""
        job = self._delivering
        if job is not None and not self._paused:
            wait([job.future], HOLD_SECONDS)
        if job is None or job.future.done():
            return
        if not self._paused:
            self._consumer.pause(self._topic_partitions())
            self._paused = True
        # Nothing comes of paused partitions: the room is for what was on its way.
        self._poll(HELD_POLL_SECONDS)

    def _settle(self) -> None:
        """Take note of what the worker has finished."""
        if self._starting is not None and self._starting.future.done():
            job, self._starting = self._starting, None
            starts = job.future.result()
            self._consumer.assign([TopicPartition(self._topic, p, offset) for p, offset in starts.items()])
            self._assigned = sorted(starts)
            self._status.assigned(starts)
            # Else rows that were stored just before a kill would look unfinished until the next message comes.
            self._commits.add(self._consumer, starts)
            log.info("reading", topic=self._topic, start={str(p): offset for p, offset in sorted(starts.items())})
        if self._delivering is not None and self._delivering.future.done():
            job, self._delivering = self._delivering, None
            job.future.result()
            if job.batch is not None:
                self._commits.add(self._consumer, job.batch.ends(), job.since)
            if self._paused:
                self._consumer.resume(self._topic_partitions())
                self._paused = False

    def _flush(self, seconds: float) -> None:
        """Deliver and commit what is buffered, within the time."""
        deadline = time.monotonic() + seconds
        while self._delivering is not None or self._buffer:
            if self._delivering is None:
                self._hand_over()
            if self._delivering is not None:
                wait([self._delivering.future], max(0.0, deadline - time.monotonic()))
                if not self._delivering.future.done():
                    log.warning("not flushed in time: will be read again", seconds=seconds)
                    break
            self._settle()
        self._commits.flush(self._consumer)

    def _abandon(self) -> None:
        """Call the worker off, and forget what is buffered: nothing of it is committed."""
        for job in (self._starting, self._delivering):
            if job is not None:
                job.patience.call_off()
                error = job.future.exception()
                if error is not None and not isinstance(error, AbandonedError):
                    raise error
        self._starting = self._delivering = None
        self._buffer.clear()
        self._commits.forget()
        self._assigned = []
        self._paused = False
        self._status.assigned({})

    def _topic_partitions(self) -> list[TopicPartition]:
        return [TopicPartition(self._topic, partition) for partition in self._assigned]

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Ask where to start before anything is fetched; ClickHouse may take its time to answer."""
        consumer.assign([])
        numbers = sorted(partition.partition for partition in partitions)
        log.info("assigned", partitions=numbers)
        if numbers:
            patience = Patience(self._status)
            self._starting = _Job(self._submit(self._find_start, numbers, patience), patience)

    def _on_revoke(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        log.info("revoked", partitions=sorted(partition.partition for partition in partitions))
        self._flush(REVOKE_SECONDS)
        self._abandon()

    def _on_lost(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        log.warning("lost", partitions=sorted(partition.partition for partition in partitions))
        self._abandon()
