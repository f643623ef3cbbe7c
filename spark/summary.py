"""What the job reads: one Spark aggregation over the events of its minutes, and the rows of a baseline."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clickpulse.errors import ConfigurationError
from clickpulse.events import EventType
from clickpulse.storage import Storage
from clickpulse.windows import MINUTE, MinuteWindow
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

MINUTE_NUMBER = "unix_seconds(event_timestamp) div 60 AS minute_number"


@dataclass(frozen=True)
class MinuteSummary:
    """A minute's rows. `by_event_type` and `total` hold the columns of `minute_summary.sql`."""

    by_event_type: dict[EventType, dict[str, Any]] = field(default_factory=dict)
    total: dict[str, Any] | None = None
    users: int = 0
    sessions: int = 0


def summarise(
    spark: SparkSession, windows: Sequence[MinuteWindow], events_urls: Sequence[str]
) -> dict[MinuteWindow, MinuteSummary]:
    """Aggregate the events at `events_urls` (`file:`, `s3a:`), all of them in `windows`, in one query.

    Raises:
        ConfigurationError: a file holds an event type nobody knows, or events of another minute.
        TransientError: Spark or the storage doesn't answer.
    """
    where = events_urls[0] if len(events_urls) == 1 else f"{events_urls[0]} and {len(events_urls) - 1} more"
    rows: dict[MinuteWindow, list[dict[str, Any]]] = {window: [] for window in windows}
    for row in _collect(spark, events_urls, where):
        window = MinuteWindow(datetime.fromtimestamp(row["minute_number"] * MINUTE.total_seconds(), UTC))
        if window not in rows:
            raise ConfigurationError(f"{where} has events of {window}, outside the windows asked for: check --window")
        rows[window].append(row)
    return {window: _summary(found, where) for window, found in rows.items()}


def read_baseline(storage: Storage, location: str) -> list[BaselineMinute]:
    """The per-minute aggregates of the recent past, a few hundred rows: read here, a Spark job would take longer.

    Raises:
        ConfigurationError: it isn't there, or holds an event type nobody knows.
        TransientError: the storage doesn't answer.
    """
    import pyarrow.parquet as pq

    columns = ["minute", "event_type", "events", "errors", "latency_p95_ms"]
    table = pq.read_table(io.BytesIO(storage.read(location)), columns=columns)
    return [
        BaselineMinute(
            minute=row["minute"].astimezone(UTC),
            event_type=_event_type(row["event_type"], location),
            events=int(row["events"]),
            errors=int(row["errors"]),
            latency_p95_ms=row["latency_p95_ms"],
        )
        for row in table.to_pylist()
    ]


def _collect(spark: SparkSession, urls: Sequence[str], where: str) -> list[dict[str, Any]]:
    """Run the aggregation and collect its rows."""
    from pyspark.errors import PySparkException

    events = spark.read.schema(EVENTS_SCHEMA).parquet(*urls).selectExpr("*", MINUTE_NUMBER)
    try:
        rows: list[dict[str, Any]] = spark.sql(QUERY.read_text(), events=events).toArrow().to_pylist()
    except PySparkException as error:
        raise explained(error, f"Spark could not read {where}") from error
    return rows


def _summary(rows: list[dict[str, Any]], where: str) -> MinuteSummary:
    if not rows:
        return MinuteSummary()
    by_scope: dict[str, list[dict[str, Any]]] = {"type": [], "total": [], "distinct": []}
    for row in rows:
        by_scope[row["scope"]].append(row)
    return MinuteSummary(
        by_event_type={_event_type(row["event_type"], where): row for row in by_scope["type"]},
        total=by_scope["total"][0],
        users=by_scope["distinct"][0]["users"],
        sessions=by_scope["distinct"][0]["sessions"],
    )


def _event_type(name: str, where: str) -> EventType:
    try:
        return EventType(name)
    except ValueError:
        known = ", ".join(EventType)
        raise ConfigurationError(f"{where}: event type {name!r} is none of {known}") from None
