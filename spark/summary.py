"""What Spark computes of a minute: one aggregation over its events, and the baseline's rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clickpulse.errors import ConfigurationError
from clickpulse.events import EventType
from clickpulse.windows import MinuteWindow
from spark.detection import BaselineMinute
from spark.failures import explained

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

QUERY = Path(__file__).parent / "queries" / "minute_summary.sql"

EVENTS_SCHEMA = (
    "user_id BINARY, session_id BINARY, event_type STRING, event_timestamp TIMESTAMP, "
    "request_latency_ms BIGINT, status STRING, error_code INT"
)
"""The columns that are read. With a given schema Spark needs no job of its own to look it up."""

BASELINE_SCHEMA = (
    "minute TIMESTAMP, event_type STRING, events DECIMAL(20,0), errors DECIMAL(20,0), latency_p95_ms DOUBLE"
)
"""DECIMAL(20,0) reads ClickHouse's UInt64 as well as Int64."""


@dataclass(frozen=True)
class MinuteSummary:
    """The collected rows. `by_event_type` and `total` hold the columns of `minute_summary.sql`."""

    by_event_type: dict[EventType, dict[str, Any]] = field(default_factory=dict)
    total: dict[str, Any] | None = None
    users: int = 0
    sessions: int = 0


def summarise(spark: SparkSession, events_url: str, window: MinuteWindow) -> MinuteSummary:
    """Aggregate the events at `events_url` (`file:`, `s3a:`), all of them in `window`.

    Raises:
        ConfigurationError: the file holds an event type nobody knows, or events of another minute.
        TransientError: Spark or the storage doesn't answer.
    """
    events = spark.read.schema(EVENTS_SCHEMA).parquet(events_url)
    rows = _collect(lambda: spark.sql(QUERY.read_text(), events=events).toArrow().to_pylist(), events_url)
    by_scope: dict[str, list[dict[str, Any]]] = {"type": [], "total": [], "distinct": []}
    for row in rows:
        by_scope[row["scope"]].append(row)
    total = by_scope["total"][0] if by_scope["total"] else None
    if total:
        _check_window(total, window, events_url)
    return MinuteSummary(
        by_event_type={_event_type(row["event_type"], events_url): row for row in by_scope["type"]},
        total=total,
        users=by_scope["distinct"][0]["users"],
        sessions=by_scope["distinct"][0]["sessions"],
    )


def read_baseline(spark: SparkSession, baseline_url: str) -> list[BaselineMinute]:
    """The per-minute aggregates of the recent past, a few hundred rows.

    Raises:
        ConfigurationError: the file holds an event type nobody knows.
        TransientError: Spark or the storage doesn't answer.
    """
    table = spark.read.schema(BASELINE_SCHEMA).parquet(baseline_url)
    return [
        BaselineMinute(
            minute=row["minute"].astimezone(UTC),
            event_type=_event_type(row["event_type"], baseline_url),
            events=int(row["events"]),
            errors=int(row["errors"]),
            latency_p95_ms=row["latency_p95_ms"],
        )
        for row in _collect(lambda: table.toArrow().to_pylist(), baseline_url)
    ]


def _collect(action: Callable[[], list[dict[str, Any]]], url: str) -> list[dict[str, Any]]:
    """Run a Spark action that collects the rows."""
    from pyspark.errors import PySparkException

    try:
        rows = action()
    except PySparkException as error:
        raise explained(error, f"Spark could not read {url}") from error
    return rows


def _event_type(name: str, url: str) -> EventType:
    try:
        return EventType(name)
    except ValueError:
        known = ", ".join(EventType)
        raise ConfigurationError(f"{url}: event type {name!r} is none of {known}") from None


def _check_window(total: dict[str, Any], window: MinuteWindow, url: str) -> None:
    first, last = total["first_ms"], total["last_ms"]
    if window.start.timestamp() * 1000 <= first and last < window.end_ms:
        return
    times = " to ".join(
        datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds") for ms in (first, last)
    )
    raise ConfigurationError(f"{url} has events from {times}, outside the window {window}: check --window")
