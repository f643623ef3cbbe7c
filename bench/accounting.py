"""`clickpulse reconcile` over minutes at 500 events/s: how many messages a second, and what of it is reading Kafka."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import httpx

from bench.bulk import encoder_for, pregenerate, send
from bench.measurements import Figure
from bench.scratch import Scratch, scratch
from bench.stages import ALL_OFFSETS, RULES, manifest_of, own_bucket
from clickhouse.export import export_windows
from clickpulse.accounting.book import Book
from clickpulse.accounting.columns import minute_number, window_of
from clickpulse.accounting.dead import DeadLetters
from clickpulse.accounting.interfaces import Rules, Sources
from clickpulse.accounting.kafka import EventsTopic, Progress, Spans
from clickpulse.accounting.reconcile import reconcile
from clickpulse.accounting.reports import CountingReport, StoredReports
from clickpulse.accounting.stored import StoredEvents
from clickpulse.accounting.wire import WireReader
from clickpulse.clients import clickhouse_client, s3_client
from clickpulse.errors import ClickpulseError
from clickpulse.objects import WindowObjects
from clickpulse.settings import KafkaSettings, RegistrySettings, S3Settings, SinkSettings
from clickpulse.windows import MINUTE, MinuteWindow
from connect.sink.schemas import SchemaCache

MINUTES = 10
EVENTS = 30_000
"""A minute at 500 events/s."""

REPEATS = 3
_FIRST = MinuteWindow.parse("2026-01-01T00:00Z")
_RULES = Rules(duplicate_minutes=RULES.duplicate_minutes, kept_days=30, ahead_seconds=300)


class _Reports(StoredReports):
    """Without an API: every minute's report is the one that was exported."""

    def __init__(self, s3: S3Settings, events: Mapping[int, int]) -> None:
        super().__init__(httpx.Client(), s3_client(s3), s3.bucket, minute_number(_FIRST))
        self._events = events

    def counting(self, first: int, end: int) -> dict[int, CountingReport]:
        return {number: self._report(number) for number in self._events if first <= number < end}

    def _report(self, number: int) -> CountingReport:
        window = window_of(minute_number(_FIRST) + number)
        key = WindowObjects(window).events
        return CountingReport(
            window, 0, complete=True, events=self._events[number], events_key=key, received_at=window.end
        )


class _TimedTopic(EventsTopic):
    """Remembers how long reading took."""

    seconds = 0.0

    def enter(self, book: Book, spans: Spans, first_minute: int, progress: Progress | None = None) -> None:
        began = time.perf_counter()
        super().enter(book, spans, first_minute, progress)
        self.seconds = time.perf_counter() - began


def measure(say: Callable[[str], None]) -> list[Figure]:
    """The best of `REPEATS` accounts of `MINUTES` minutes, all of which have to add up."""
    with scratch() as own, own_bucket() as s3:
        events = _fill(own, s3, say)
        say(f"accounting for {sum(events.values()):,} messages")
        runs = [_run(own, s3, events) for _ in range(REPEATS)]
    return _figures(runs, sum(events.values()))


def _fill(own: Scratch, s3: S3Settings, say: Callable[[str], None]) -> dict[int, int]:
    """Minutes sent, stored and exported; how many events each has."""
    encoder = encoder_for(own.kafka)
    windows = [MinuteWindow(_FIRST.start + number * MINUTE) for number in range(MINUTES)]
    events = {}
    for number, window in enumerate(windows):
        serialized = pregenerate(window, EVENTS, encoder)
        send(own.kafka, encoder, serialized)
        events[number] = len(serialized)
    say(f"storing {sum(events.values()):,} events")
    own.drain(sum(events.values()))
    cutoff = dict.fromkeys(range(own.kafka.partitions), ALL_OFFSETS)
    client = clickhouse_client(own.clickhouse)
    export_windows(client, s3, [manifest_of(WindowObjects(window), cutoff) for window in windows], RULES)
    client.close()
    return events


def _run(own: Scratch, s3: S3Settings, events: Mapping[int, int]) -> tuple[float, float, float]:
    """Seconds of an account, those of reading Kafka in it, and the processor's of all threads here."""
    topics = {"topic": own.kafka.topic, "dead_letter_topic": own.kafka.dead_letter_topic}
    kafka = KafkaSettings.load_for("viewer", **topics)
    client = clickhouse_client(own.clickhouse, reader=True)
    with httpx.Client(base_url=RegistrySettings.load().url) as registry:
        sink = SinkSettings.load(group_id=own.environment["SINK_GROUP_ID"])
        topic, letters = _TimedTopic(kafka, sink, WireReader(SchemaCache(registry).get)), DeadLetters(kafka)
        sources = Sources(topic, StoredEvents(client, minute_number(_FIRST)), _Reports(s3, events), letters)
        span = _FIRST, MinuteWindow(_FIRST.start + MINUTES * MINUTE)
        began, used = time.perf_counter(), time.process_time()
        account = reconcile(sources, span, _RULES, datetime.now(UTC))
        seconds, used = time.perf_counter() - began, time.process_time() - used
        topic.close()
        letters.close()
    client.close()
    if not account.adds_up or account.totals.reported != sum(events.values()):
        raise ClickpulseError(f"the benchmark's own events do not add up: {account.totals}")
    return seconds, topic.seconds, used


def _figures(runs: list[tuple[float, float, float]], messages: int) -> list[Figure]:
    whole, reading, processor = (min(column) for column in zip(*runs, strict=True))
    note = f"best of {REPEATS}, {messages:,} messages in {MINUTES} minutes"
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [
        Figure("accounting", "reconcile", messages / whole, "messages/s", "100,000", note),
        Figure("accounting", "of it reading Kafka", messages / reading, "messages/s", "", note),
        Figure(
            "accounting", "processor's time of a million", processor / messages * 1e6, "s", "", "without the services'"
        ),
        Figure("accounting", "memory of the benchmark, most", memory, "MiB", "", "events that it made included"),
    ]
