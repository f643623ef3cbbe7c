"""One redrive at a time: the member of a consumer group that holds the one partition of the markers' topic.

A newcomer does not take the partition from its holder (cooperative-sticky), and waits for as long as the lock of one
that was killed may last. A holder that was stopped for longer than that has lost it and is told so by the broker before
it sends anything more; what it had handed to the driver before expires by itself (`sending.DELIVERY_SECONDS`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from clickpulse.dlq.sending import DELIVERY_SECONDS
from clickpulse.errors import ClickpulseError, TransientError
from clickpulse.settings import KafkaSettings

SESSION_SECONDS = 20.0
"""How long the lock of a killed holder lasts."""
WAIT_SECONDS = SESSION_SECONDS + 5
VALID_SECONDS = SESSION_SECONDS - DELIVERY_SECONDS - 5
"""For so long after the broker has confirmed the lock may a message be handed to the driver."""
_POLL_SECONDS = 0.1
_MOVING = frozenset(
    {KafkaError.REBALANCE_IN_PROGRESS, KafkaError.ILLEGAL_GENERATION, KafkaError.COORDINATOR_LOAD_IN_PROGRESS}
)


class LockedError(ClickpulseError):
    """Another redrive holds the lock, or has taken it over."""


class RedriveLock:
    """Held from the entry of the block to its end.

    Args:
        settings: of a user that may read the group.
        topic: of the markers, with one partition.
        group: of the redrives.
        wait_seconds: how long a lock that is held is waited for.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        topic: str,
        group: str,
        *,
        wait_seconds: float = WAIT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._partition = TopicPartition(topic, 0)
        self._group = group
        self._wait_seconds = wait_seconds
        self._clock = clock
        self._held = False
        self._confirmed_at = 0.0

    def __enter__(self) -> Self:
        """Raise `LockedError` if another holds it."""
        self._consumer = Consumer(
            self._settings.client_config()
            | {
                "group.id": self._group,
                "enable.auto.commit": False,
                "partition.assignment.strategy": "cooperative-sticky",
                "session.timeout.ms": int(SESSION_SECONDS * 1000),
                "heartbeat.interval.ms": 2000,
                "auto.offset.reset": "latest",
            }
        )
        self._consumer.subscribe(
            [self._partition.topic], on_assign=self._on_assign, on_revoke=self._on_lost, on_lost=self._on_lost
        )
        try:
            self._acquire()
            self._confirm()
        except BaseException:
            self._consumer.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def require(self) -> None:
        """Return if the broker has confirmed the lock just now.

        Raises:
            LockedError: it is another's.
            TransientError: the broker does not answer.
        """
        if self._clock() - self._confirmed_at > VALID_SECONDS / 2:
            self._confirm()

    def _acquire(self) -> None:
        deadline = self._clock() + self._wait_seconds
        while not self._held:
            self._poll()
            if not self._held and self._clock() > deadline:
                raise LockedError(
                    "another `clickpulse dlq redrive` of this dead-letter topic is running: wait for its end. (One "
                    f"that was killed holds it up for {SESSION_SECONDS:g} s, which were waited for.)"
                )

    def _confirm(self) -> None:
        deadline = self._clock() + VALID_SECONDS
        while True:
            self._poll()
            if not self._held:
                raise LockedError("another `clickpulse dlq redrive` has taken over: this one was held up for too long")
            asked_at = self._clock()
            try:
                self._consumer.commit(offsets=[TopicPartition(self._partition.topic, 0, 0)], asynchronous=False)
            except KafkaException as error:
                problem = error.args[0]
                if problem.code() == KafkaError.UNKNOWN_MEMBER_ID:
                    self._held = False
                elif problem.code() not in _MOVING or self._clock() > deadline:
                    raise TransientError(f"Kafka does not confirm the lock of this redrive: {problem.str()}") from error
            else:
                self._confirmed_at = asked_at
                return

    def _poll(self) -> None:
        """Let the driver tell of changes; a message may come before the pause, and means nothing."""
        message = self._consumer.poll(_POLL_SECONDS if not self._held else 0)
        if message is not None and message.error() is not None and message.error().fatal():
            raise TransientError(f"Kafka refuses the lock of this redrive: {message.error().str()}")

    def _on_assign(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        consumer.incremental_assign(partitions)
        if partitions:
            consumer.pause(partitions)
            self._held = True

    def _on_lost(self, _consumer: Any, partitions: list[TopicPartition]) -> None:
        if partitions:
            self._held = False
