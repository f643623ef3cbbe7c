"""How the connector does: told by the watch, shown by the same health page as the embedded sink's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from clickpulse.completeness import PartitionView
from connect.rest import ConnectorState

START_SECONDS = 90.0
"""A worker that has not answered for longer than this is stuck; its start takes 15 s on a quiet machine."""

STALLED_SECONDS = 5.0
"""Events wait and no offset was committed for longer than this: something does not answer."""

log = structlog.get_logger()


class Condition:
    """Thread-safe. `clock` is monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._answered_at = clock()
        self._state = ConnectorState(())
        self._pauses: dict[str, str] = {}
        self._views: Mapping[int, PartitionView] = {}
        self._moved_at = clock()
        self._last_flush_at: datetime | None = None
        self.registry = CollectorRegistry()
        self._restarts = Counter("sink_task_restarts", "Restarts of failed Connect tasks", registry=self.registry)
        self._lag_metric = Gauge(
            "sink_lag_messages", "Messages in Kafka behind the committed offset", ["partition"], registry=self.registry
        )
        self._paused_metric = Gauge("sink_paused", "1 while something does not answer", registry=self.registry)
        self._last_flush_metric = Gauge(
            "sink_last_flush_timestamp_seconds", "When an offset was last seen to move", registry=self.registry
        )

    def worker(self, state: ConnectorState) -> None:
        """The worker has answered."""
        with self._lock:
            self._answered_at = self._clock()
            self._state = state

    def pause(self, source: str, reason: str) -> None:
        """Events don't flow, because of `source`; logged once, until it is resumed."""
        with self._lock:
            known = source in self._pauses
            self._pauses[source] = reason
            self._paused_metric.set(1)
        if not known:
            log.warning("paused", source=source, reason=reason)

    def resume(self, source: str) -> None:
        with self._lock:
            known = self._pauses.pop(source, None)
            self._paused_metric.set(1 if self._pauses else 0)
        if known is not None:
            log.info("resumed", source=source, reason=known)

    def restarted(self) -> None:
        """A failed task is being restarted."""
        self._restarts.inc()

    def offsets(self, views: Mapping[int, PartitionView]) -> None:
        """A look at the topic and the sink's group."""
        with self._lock:
            now = self._clock()
            moved = {p: view.committed for p, view in views.items()} != {
                p: view.committed for p, view in self._views.items()
            }
            if moved and self._views:
                self._last_flush_at = datetime.now(UTC)
                self._last_flush_metric.set_to_current_time()
            if moved or _lag(views) == 0:
                self._moved_at = now
            self._views = views
            for partition, view in views.items():
                self._lag_metric.labels(partition).set(max(0, view.end - view.reached))

    @property
    def stalled_seconds(self) -> float:
        """For how long events wait while nothing moves; 0 below `STALLED_SECONDS`."""
        with self._lock:
            waited = self._clock() - self._moved_at if _lag(self._views) else 0.0
        return waited if waited >= STALLED_SECONDS else 0.0

    def healthy(self) -> bool:
        """Whether a restart of the worker would not help."""
        with self._lock:
            return self._healthy()

    def ready(self) -> bool:
        """Whether events flow: the connector and its tasks run, and nothing that they need is missing."""
        with self._lock:
            return self._healthy() and self._state.running and not self._pauses

    def _healthy(self) -> bool:
        return self._clock() - self._answered_at < START_SECONDS

    def snapshot(self) -> dict[str, Any]:
        """The health page's content; times in UTC, ISO 8601."""
        with self._lock:
            healthy = self._healthy()
            reasons = "; ".join(self._pauses.values())
            return {
                "status": "stuck"
                if not healthy
                else "paused"
                if reasons
                else "ok"
                if self._state.running
                else "starting",
                "healthy": healthy,
                "paused_reason": reasons or None,
                "tasks": {part.name: part.state for part in self._state.parts},
                "partitions": {
                    str(partition): {
                        "committed_offset": view.committed,
                        "high_watermark": view.end,
                        "lag": max(0, view.end - view.reached),
                    }
                    for partition, view in sorted(self._views.items())
                },
                "lag_total": _lag(self._views),
                "last_flush_at": self._last_flush_at.isoformat(timespec="milliseconds")
                if self._last_flush_at
                else None,
            }


def _lag(views: Mapping[int, PartitionView]) -> int:
    return sum(max(0, view.end - view.reached) for view in views.values())
