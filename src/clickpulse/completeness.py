"""When is a minute complete: everything that happened in it is in ClickHouse.

Per partition, the sink's committed offset has to reach a target:

- A message at or after the minute's end is in the partition: the target is its offset (the first such; Kafka's
  timestamp is the event's), or the partition's end at the first look after the minute's end if that is further on.
  The latter covers several producers whose events are a little out of order.
- None is (an idle partition): it has to be watched without an error of the broker for `idle_partition_seconds` after
  the minute's end, and the target is the partition's end then. An error starts the watch anew at the next answer,
  as producers that were cut off still have events to deliver.

A call that begins when the idle seconds are over already, and whose first question is answered, does not wait: a
catch-up or a replay of old windows costs nothing. The price: if the broker came back just before that call, producers
that reconnect a moment later (they try every second at most) bring events of the minute, which then become a later
revision. Nothing is lost by that.

Everything below a committed offset is in ClickHouse or was dead-lettered. The cutoff of a window is the committed
offset at the moment it was found complete, not the target: it is never less, includes stragglers that came in the
meantime, and is the same for every re-run once it is written to the manifest.

Topics written in transactions are not covered: a partition that ends in a commit marker has an end that no consumer
commits.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import structlog

from clickpulse.clients import kafka_admin
from clickpulse.errors import TransientError
from clickpulse.settings import KafkaSettings, ReportSettings, SinkSettings
from clickpulse.windows import MinuteWindow

if TYPE_CHECKING:
    from confluent_kafka import TopicPartition
    from confluent_kafka.admin import AdminClient

POLL_SECONDS = 0.05
MAX_NAMED_PARTITIONS = 12
log = structlog.get_logger()


@dataclass(frozen=True)
class PartitionView:
    """One look at a partition.

    `first_after` is the offset of the first message at or after the minute's end, None if there is none; `end` the
    offset the next message will get; `committed` the sink group's, None before its first commit; `low` the first
    offset that Kafka still has.
    """

    first_after: int | None
    end: int
    committed: int | None
    low: int = 0

    @property
    def reached(self) -> int:
        """Below it everything is stored: a sink without a commit has nothing left to do before `low`."""
        return self.low if self.committed is None else self.committed


class OffsetSource(Protocol):
    """Looks at all partitions of the topic at once."""

    def look(self, end_ms: int) -> Mapping[int, PartitionView]:
        """`end_ms` is the minute's end, milliseconds since the epoch. Raises `TransientError`."""


class Clock(Protocol):
    """Wall clock, as the minute's end is a wall-clock time."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@dataclass(frozen=True)
class WindowCompleteness:
    """The outcome: `cutoff` is exclusive; rows of the window at or above it belong to a later revision."""

    complete: bool
    reason: str
    targets: dict[int, int]
    cutoff: dict[int, int]
    committed: dict[int, int]
    waited_seconds: float


@dataclass
class _Watch:
    """What the looks so far have told."""

    end: float
    idle_seconds: float
    quiet_from: float = field(init=False)
    failed: bool = False
    end_at_first_look: dict[int, int] = field(default_factory=dict)
    targets: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.quiet_from = self.end

    def failure(self) -> None:
        self.failed = True

    def look(self, views: Mapping[int, PartitionView], now: float) -> None:
        """Fix the targets that can be fixed; `now` is when the look began."""
        if self.failed:
            self.failed = False
            self.quiet_from = max(self.end, now)
        for partition, view in views.items():
            first = self.end_at_first_look.setdefault(partition, view.end)
            if partition in self.targets:
                continue
            if view.first_after is not None:
                self.targets[partition] = max(view.first_after, first)
            elif now >= self.quiet_from + self.idle_seconds:
                self.targets[partition] = view.end


def await_window(
    source: OffsetSource, window: MinuteWindow, settings: ReportSettings, clock: Clock | None = None
) -> WindowCompleteness:
    """Wait until the window is complete, at most `completeness_timeout_seconds`; never raises for a missing broker.

    Called before the minute's end it waits for that first; the time limit counts from the end or the call, whichever
    is later.
    """
    clock = clock or SystemClock()
    called = clock.now()
    watch = _Watch(window.end.timestamp(), settings.idle_partition_seconds)
    if called < watch.end:
        clock.sleep(watch.end - called)
    began = clock.now()
    deadline = began + settings.completeness_timeout_seconds
    views: Mapping[int, PartitionView] = {}
    problem = ""
    while True:
        looked_at = clock.now()
        try:
            views = source.look(window.end_ms)
        except TransientError as error:
            problem = str(error)
            watch.failure()
        else:
            problem = ""
            watch.look(views, looked_at)
            if _all_reached(views, watch.targets):
                return _outcome(views, watch.targets, clock.now() - began, complete=True, reason="complete")
        if clock.now() >= deadline:
            reason = problem or _lag(views, watch.targets)
            log.warning("window incomplete", window=str(window), reason=reason)
            return _outcome(views, watch.targets, clock.now() - began, complete=False, reason=reason)
        clock.sleep(POLL_SECONDS)


def assess_windows(source: OffsetSource, windows: Sequence[MinuteWindow]) -> dict[MinuteWindow, WindowCompleteness]:
    """How complete windows are that ended a while ago, without waiting; all get the same cutoff.

    Raises:
        TransientError: Kafka does not answer.
    """
    if not windows:
        return {}
    now = source.look(max(windows).end_ms)
    assessed = {}
    for window in windows:
        views = source.look(window.end_ms)
        targets = {p: view.end if (first := views[p].first_after) is None else first for p, view in now.items()}
        complete = _all_reached(now, targets)
        reason = "complete" if complete else _lag(now, targets)
        assessed[window] = _outcome(now, targets, 0.0, complete=complete, reason=reason)
    return assessed


def _all_reached(views: Mapping[int, PartitionView], targets: Mapping[int, int]) -> bool:
    return bool(views) and all(p in targets and view.reached >= targets[p] for p, view in views.items())


def _outcome(
    views: Mapping[int, PartitionView], targets: Mapping[int, int], waited: float, *, complete: bool, reason: str
) -> WindowCompleteness:
    reached = {partition: view.reached for partition, view in sorted(views.items())}
    return WindowCompleteness(complete, reason, dict(sorted(targets.items())), dict(reached), reached, round(waited, 3))


def _lag(views: Mapping[int, PartitionView], targets: Mapping[int, int]) -> str:
    behind = []
    for partition, view in sorted(views.items()):
        if partition not in targets:
            behind.append(f"partition {partition} idle, not watched long enough")
        elif view.reached < targets[partition]:
            behind.append(f"partition {partition} at {view.reached} of {targets[partition]}")
    more = f", and {len(behind) - MAX_NAMED_PARTITIONS} more" if len(behind) > MAX_NAMED_PARTITIONS else ""
    return f"the sink lags: {', '.join(behind[:MAX_NAMED_PARTITIONS])}{more}"


def kafka_offsets(kafka: KafkaSettings, sink: SinkSettings) -> KafkaOffsets:
    """The topic's offsets and those of the sink's group; connects at the first look."""
    return KafkaOffsets(kafka_admin(kafka), kafka.topic, sink.group_id)


class KafkaOffsets:
    """An `OffsetSource` on a broker.

    Args:
        admin: a Kafka admin client.
        topic: of the events.
        group_id: the sink's consumer group.
        timeout_seconds: of one look.
    """

    def __init__(self, admin: AdminClient, topic: str, group_id: str, *, timeout_seconds: float = 2.0) -> None:
        self._admin = admin
        self._topic = topic
        self._group_id = group_id
        self._timeout = timeout_seconds
        self._partitions: list[TopicPartition] = []

    def look(self, end_ms: int) -> dict[int, PartitionView]:
        """All requests are sent together, so a look takes about one round trip. Raises `TransientError`."""
        from confluent_kafka import KafkaException

        try:
            return self._look(end_ms)
        except KafkaException as error:
            raise TransientError(f"Kafka does not answer: {error.args[0].str()}") from error
        except TimeoutError as error:
            raise TransientError(f"Kafka does not answer within {self._timeout} s") from error

    def _look(self, end_ms: int) -> dict[int, PartitionView]:
        from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException
        from confluent_kafka.admin import OffsetSpec

        partitions = self._known_partitions()
        group = self._admin.list_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(self._group_id, partitions)], request_timeout=self._timeout
        )
        first_after, ends, lows = (
            self._admin.list_offsets(dict.fromkeys(partitions, spec), request_timeout=self._timeout)
            for spec in (OffsetSpec.for_timestamp(end_ms), OffsetSpec.latest(), OffsetSpec.earliest())
        )
        views = {}
        for position in group[self._group_id].result(2 * self._timeout).topic_partitions:
            if position.error is not None:
                raise KafkaException(position.error)
            first, end, low = (
                answers[position].result(2 * self._timeout).offset for answers in (first_after, ends, lows)
            )
            views[position.partition] = PartitionView(
                first_after=first if first >= 0 else None,
                end=end,
                committed=position.offset if position.offset >= 0 else None,
                low=low,
            )
        return views

    def _known_partitions(self) -> list[TopicPartition]:
        from confluent_kafka import KafkaException, TopicPartition

        if not self._partitions:
            topic = self._admin.list_topics(self._topic, timeout=self._timeout).topics[self._topic]
            if topic.error is not None:
                raise KafkaException(topic.error)
            self._partitions = [TopicPartition(self._topic, partition) for partition in sorted(topic.partitions)]
        return self._partitions
