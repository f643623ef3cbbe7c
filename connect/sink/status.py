"""What the sink is doing: told by its threads, shown by the health page and to Prometheus."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

KAFKA = "kafka"
"""Source of a pause."""

STALE_SECONDS = 15.0
"""Without a poll, or with a message waiting, for longer than this (and no reason to pause) the sink is stuck."""

_SECONDS_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.75, 1, 2.5, 5, 10, 30)
log = structlog.get_logger()


class Status:
    """Thread-safe. `clock` is monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._polled_at = clock()
        self._waiting_since: float | None = None
        self._pauses: dict[str, tuple[str, float]] = {}
        self._partitions: dict[int, dict[str, int | None]] = {}
        self._last_flush_at: datetime | None = None
        self._rows = 0
        self._dead_letters = 0
        self.registry = CollectorRegistry()
        self._rows_metric = Counter("sink_rows", "Rows stored in ClickHouse", registry=self.registry)
        self._batches_metric = Counter("sink_batches", "Inserts acknowledged by ClickHouse", registry=self.registry)
        self._dead_letters_metric = Counter(
            "sink_dead_letters", "Messages written to the dead-letter topic", ["error_class"], registry=self.registry
        )
        self._insert_metric = Histogram(
            "sink_insert_seconds",
            "From the start of an insert to ClickHouse's answer, attempts included",
            buckets=_SECONDS_BUCKETS,
            registry=self.registry,
        )
        self._flush_metric = Histogram(
            "sink_flush_seconds",
            "From the moment a message may have been buffered to the commit of its offset",
            buckets=_SECONDS_BUCKETS,
            registry=self.registry,
        )
        self._lag_metric = Gauge(
            "sink_lag_messages", "Messages in Kafka behind the committed offset", ["partition"], registry=self.registry
        )
        self._paused_metric = Gauge("sink_paused", "1 while a dependency does not answer", registry=self.registry)
        self._last_flush_metric = Gauge(
            "sink_last_flush_timestamp_seconds", "When an offset was last committed", registry=self.registry
        )

    def polled(self, waiting_since: float | None) -> None:
        """The loop is alive; the oldest buffered message waits since then (None: nothing is buffered)."""
        with self._lock:
            self._polled_at = self._clock()
            self._waiting_since = waiting_since

    def paused(self, source: str, reason: str) -> None:
        """Logged once, until `resumed`."""
        with self._lock:
            known = self._pauses.get(source)
            self._pauses[source] = (reason, known[1] if known else self._clock())
            self._paused_metric.set(1)
        if known is None:
            log.warning("paused", source=source, reason=reason)

    def resumed(self, source: str) -> None:
        with self._lock:
            pause = self._pauses.pop(source, None)
            self._paused_metric.set(1 if self._pauses else 0)
        if pause is not None:
            log.info("resumed", source=source, after_seconds=round(self._clock() - pause[1], 3), reason=pause[0])

    def is_paused(self, source: str) -> bool:
        with self._lock:
            return source in self._pauses

    def assigned(self, starts: Mapping[int, int]) -> None:
        """These partitions are read from now on, from these offsets, and no others."""
        with self._lock:
            self._lag_metric.clear()
            self._partitions = {
                partition: {"committed_offset": offset, "high_watermark": None, "lag": None}
                for partition, offset in starts.items()
            }

    def stored(self, rows: int, seconds: float) -> None:
        with self._lock:
            self._rows += rows
        self._rows_metric.inc(rows)
        self._batches_metric.inc()
        self._insert_metric.observe(seconds)

    def dead_lettered(self, error_class: str) -> None:
        with self._lock:
            self._dead_letters += 1
        self._dead_letters_metric.labels(error_class).inc()

    def committed(self, ends: Mapping[int, int]) -> None:
        with self._lock:
            self._last_flush_at = datetime.now(UTC)
            for partition, offset in ends.items():
                self._update(partition, "committed_offset", offset)
        self._last_flush_metric.set_to_current_time()

    def flushed(self, seconds: float) -> None:
        """A batch is through; `seconds` since its first message may have been buffered."""
        self._flush_metric.observe(seconds)

    def high_watermarks(self, offsets: Mapping[int, int]) -> None:
        with self._lock:
            for partition, offset in offsets.items():
                self._update(partition, "high_watermark", offset)

    def _update(self, partition: int, name: str, offset: int) -> None:
        known = self._partitions.get(partition)
        if known is None:
            return
        known[name] = offset
        committed, high = known["committed_offset"], known["high_watermark"]
        if committed is not None and high is not None:
            lag = max(0, high - committed)
            known["lag"] = lag
            self._lag_metric.labels(partition).set(lag)

    def healthy(self) -> bool:
        """Whether a restart would not help: polled lately, and flushed lately or paused for a reason."""
        with self._lock:
            return self._healthy()

    def ready(self) -> bool:
        """Whether events flow: partitions are assigned and no dependency is missing."""
        with self._lock:
            return self._healthy() and bool(self._partitions) and not self._pauses

    def _healthy(self) -> bool:
        now = self._clock()
        waited = now - self._waiting_since if self._waiting_since is not None else 0.0
        return now - self._polled_at < STALE_SECONDS and (waited < STALE_SECONDS or bool(self._pauses))

    def snapshot(self) -> dict[str, Any]:
        """The health page's content; times in UTC, ISO 8601."""
        with self._lock:
            healthy = self._healthy()
            reasons = "; ".join(reason for reason, _ in self._pauses.values())
            return {
                "status": "stuck" if not healthy else "paused" if reasons else "ok" if self._partitions else "joining",
                "healthy": healthy,
                "paused_reason": reasons or None,
                "partitions": {str(partition): dict(known) for partition, known in sorted(self._partitions.items())},
                "lag_total": sum(known["lag"] or 0 for known in self._partitions.values()),
                "last_flush_at": self._last_flush_at.isoformat(timespec="milliseconds")
                if self._last_flush_at
                else None,
                "rows_total": self._rows,
                "dead_letters_total": self._dead_letters,
            }
