"""Kafka's topics: messages, bytes where the broker's folder is on this machine, and how long their limit lasts."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from clickpulse.clients import kafka_admin, kafka_consumer
from clickpulse.doctor.model import Finding, Holding, Part, days
from clickpulse.errors import TransientError
from clickpulse.settings import KafkaSettings

if TYPE_CHECKING:
    from confluent_kafka import TopicPartition
    from confluent_kafka.admin import AdminClient, ListOffsetsResultInfo

TITLE = "Kafka"
_ANSWER_SECONDS = 10.0
_DAY_MS = 86_400_000
_SECONDS_A_DAY = 86_400


@dataclass(frozen=True)
class TopicFigures:
    """A topic just now; times in milliseconds since the epoch, None where there is none.

    `shortened` says that a limit has deleted messages already, `last_day` how many came in the last 24 hours.
    """

    name: str
    partitions: int
    messages: int
    last_day: int
    shortened: bool
    oldest_ms: int | None
    newest_ms: int | None
    retention_bytes: int | None
    bytes: int | None

    @property
    def bytes_last_day(self) -> int | None:
        """What came in a day; 0 where as much was deleted."""
        if self.bytes is None:
            return None
        return 0 if self.shortened else self.bytes * self.last_day // max(self.messages, 1)

    @property
    def lasts_days(self) -> float | None:
        """How many days of messages the limit has room for, at the last day's rate."""
        if self.bytes is None or not self.retention_bytes or not (self.messages and self.last_day):
            return None
        return self.retention_bytes * self.partitions / (self.bytes / self.messages * self.last_day)


def examine(settings: KafkaSettings, *, needed: timedelta, folder: Path | None) -> Part:
    """All of Clickpulse's topics.

    Args:
        settings: of the user `viewer`.
        needed: for how long events have to be there.
        folder: the broker's data, where it is on this machine.

    Raises:
        TransientError: Kafka does not answer.
    """
    from confluent_kafka import KafkaException

    try:
        topics = _figures(settings, folder)
    except KafkaException as error:
        raise TransientError(f"Kafka {settings.bootstrap_servers} does not answer: {error.args[0].str()}") from error
    except TimeoutError as error:
        raise TransientError(f"Kafka {settings.bootstrap_servers} does not answer") from error
    return part(topics, settings.topic, needed, datetime.now(UTC))


def part(topics: Sequence[TopicFigures], events: str, needed: timedelta, now: datetime) -> Part:
    """What the figures mean; `events` is the name of the topic that reports are made of."""
    grown = [topic.bytes_last_day for topic in topics]
    findings = [finding for topic in topics if topic.name == events for finding in _too_short(topic, needed, now)]
    return Part(
        "kafka",
        TITLE,
        [_holding(topic) for topic in topics],
        findings,
        None if None in grown else sum(one for one in grown if one is not None),
    )


def _holding(topic: TopicFigures) -> Holding:
    kept = f"{topic.retention_bytes / 1024**3:.3g} GiB a partition" if topic.retention_bytes else "without limit"
    if (lasts := topic.lasts_days) is not None:
        kept += f", {days(lasts)} at the last day's rate"
    oldest, newest = _moment(topic.oldest_ms), _moment(topic.newest_ms)
    return Holding(topic.name, "messages", topic.messages, topic.bytes, oldest, newest, kept)


def _too_short(topic: TopicFigures, needed: timedelta, now: datetime) -> list[Finding]:
    """Whether events are deleted before they are needed no more, or will be at this rate."""
    wanted = days(needed / timedelta(days=1))
    remedy = "raise KAFKA_RETENTION_BYTES (per partition), or lower REPORT_HORIZON_MINUTES and REPORT_LOOKBACK_MINUTES"
    oldest = _moment(topic.oldest_ms)
    if topic.shortened and oldest is not None and now - oldest < needed:
        held = days((now - oldest) / timedelta(days=1))
        return [Finding(f"{topic.name} holds {held} of events, and {wanted} are needed", remedy)]
    lasts = topic.lasts_days
    if lasts is not None and lasts * _SECONDS_A_DAY < needed.total_seconds():
        return [Finding(f"{topic.name} has room for {days(lasts)} of events, and {wanted} are needed", remedy)]
    return []


def _figures(settings: KafkaSettings, folder: Path | None) -> list[TopicFigures]:
    from confluent_kafka import TopicPartition
    from confluent_kafka.admin import OffsetSpec

    from broker.topics import wanted_topics

    admin = kafka_admin(settings)
    there = admin.list_topics(timeout=_ANSWER_SECONDS).topics
    names = [topic.name for topic in wanted_topics(settings) if topic.name in there]
    partitions = [TopicPartition(name, number) for name in names for number in sorted(there[name].partitions)]
    yesterday = OffsetSpec.for_timestamp(int(time.time() * 1000) - _DAY_MS)
    low, high, newest, since = (
        _offsets(admin, partitions, spec)
        for spec in (OffsetSpec.earliest(), OffsetSpec.latest(), OffsetSpec.max_timestamp(), yesterday)
    )
    limits = _limits(admin, names)
    first = _first_times(settings, {one: low[one].offset for one in partitions if high[one].offset > low[one].offset})
    figures = []
    for name in names:
        own = [one for one in partitions if one.topic == name]
        figures.append(
            TopicFigures(
                name=name,
                partitions=len(own),
                messages=sum(high[one].offset - low[one].offset for one in own),
                last_day=sum(high[one].offset - since[one].offset for one in own if since[one].offset >= 0),
                shortened=any(low[one].offset > 0 for one in own),
                oldest_ms=min((first[one] for one in own if one in first), default=None),
                newest_ms=max((newest[one].timestamp for one in own if newest[one].timestamp >= 0), default=None),
                retention_bytes=limits[name],
                bytes=None if folder is None else _bytes(folder, own),
            )
        )
    return figures


def _offsets(
    admin: AdminClient, partitions: Sequence[TopicPartition], spec: object
) -> dict[TopicPartition, ListOffsetsResultInfo]:
    asked = admin.list_offsets(dict.fromkeys(partitions, spec), request_timeout=_ANSWER_SECONDS)
    return {partition: answer.result(2 * _ANSWER_SECONDS) for partition, answer in asked.items()}


def _limits(admin: AdminClient, names: Sequence[str]) -> dict[str, int | None]:
    """`retention.bytes` of each topic; None where it has no limit, or is compacted instead."""
    from confluent_kafka.admin import ConfigResource

    resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
    limits: dict[str, int | None] = {}
    for resource, answer in admin.describe_configs(resources).items():
        config = answer.result(_ANSWER_SECONDS)
        limit = int(config["retention.bytes"].value)
        limits[resource.name] = limit if limit >= 0 and "delete" in config["cleanup.policy"].value else None
    return limits


def _first_times(settings: KafkaSettings, offsets: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
    """The time of each partition's first message; without those that don't come in time."""
    from confluent_kafka import KafkaException, TopicPartition

    if not offsets:
        return {}
    found: dict[TopicPartition, int] = {}
    consumer = kafka_consumer(
        settings, group_id="clickpulse-doctor", enable_auto_offset_store=False, fetch_message_max_bytes=65_536
    )
    try:
        consumer.assign([TopicPartition(one.topic, one.partition, offset) for one, offset in offsets.items()])
        deadline = time.monotonic() + _ANSWER_SECONDS
        while len(found) < len(offsets) and (left := deadline - time.monotonic()) > 0:
            message = consumer.poll(left)
            if message is None:
                break
            if message.error() is not None:
                raise KafkaException(message.error())
            partition = TopicPartition(message.topic(), message.partition())
            if partition not in found:
                found[partition] = message.timestamp()[1]
                consumer.pause([partition])
    finally:
        consumer.close()
    return found


def _bytes(folder: Path, partitions: Sequence[TopicPartition]) -> int:
    """Of the partitions' logs on this broker; their indexes are laid out in advance and mostly empty."""
    logs = [log for one in partitions for log in (folder / f"{one.topic}-{one.partition}").glob("*.log")]
    return sum(log.stat().st_size for log in logs if log.exists())


def _moment(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)
