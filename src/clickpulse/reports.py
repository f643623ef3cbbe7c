"""The report of one minute: the contract between the Spark job, the report API and its readers.

`report_json_schema()` is what is published as `docs/report.schema.json`.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer, model_validator

from clickpulse.events import EventType
from clickpulse.windows import MINUTE, MinuteWindow


def _utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


def _iso(value: datetime) -> str:
    return value.isoformat(timespec="milliseconds" if value.microsecond else "seconds").replace("+00:00", "Z")


UtcDatetime = Annotated[AwareDatetime, AfterValidator(_utc), PlainSerializer(_iso, return_type=str, when_used="json")]
"""An instant with a time zone, kept in UTC, written as `2026-11-22T10:05:00Z`."""

Count = Annotated[int, Field(ge=0)]
Rate = Annotated[float, Field(ge=0, le=1)] | None
"""A share between 0 and 1; null when there was nothing to divide by."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LatencyStats(_Model):
    """Latency in milliseconds; quantiles are exact, by linear interpolation."""

    mean: float
    p50: float
    p90: float
    p95: float
    p99: float
    max: float


class EventTypeStats(_Model):
    """One event type in the window, each `event_id` counted once."""

    events: Count
    successes: Count
    errors: Count
    success_rate: Rate
    error_rate: Rate
    error_codes: dict[str, Count] = Field(description="events by error code, such as {'503': 12}; only ERROR events")
    latency_ms: LatencyStats | None = Field(description="null when there were no events")

    @model_validator(mode="after")
    def _adds_up(self) -> EventTypeStats:
        if self.successes + self.errors != self.events:
            raise ValueError(f"successes {self.successes} + errors {self.errors} is not events {self.events}")
        return self


class Totals(EventTypeStats):
    """All event types together."""

    users: Count = Field(description="distinct user_id")
    sessions: Count = Field(description="distinct session_id")


class PartitionProgress(_Model):
    """Where the sink stood in one Kafka partition when the minute was exported."""

    partition: Count
    target_offset: Count = Field(description="what the sink had to reach: the first offset after the minute's end")
    committed_offset: Count = Field(description="where the sink stood: rows below are part of this revision")


class Completeness(_Model):
    """Why the window counts as complete, or what was missing."""

    complete: bool
    reason: str
    partitions: list[PartitionProgress] = []


class Anomaly(_Model):
    """One metric of one event type outside what the recent past suggests."""

    event_type: EventType
    metric: Literal["error_rate", "latency_p95_ms", "events"]
    direction: Literal["high", "low"]
    severity: Literal["warning", "critical"]
    value: float
    expected: float = Field(description="the baseline's centre")
    lower: float | None = Field(description="below this is anomalous; null: no lower bound")
    upper: float | None = Field(description="above this is anomalous; null: no upper bound")
    score: float = Field(description="distance from the centre in units of the baseline's spread")
    message: str

    @property
    def name(self) -> str:
        """What it is, without its figures: `PAYMENT error_rate high`."""
        return f"{self.event_type} {self.metric} {self.direction}"


class Detector(_Model):
    """Which rule found the anomalies."""

    name: str
    version: str
    parameters: dict[str, float]
    baseline_minutes: Count = Field(description="minutes of the past that had events and were compared with")


class Inputs(_Model):
    """The objects the report is a function of, as keys in the bucket."""

    events: str
    baseline: str
    rows: Count = Field(description="rows of the events object")


class Changes(_Model):
    """What a revision has that the one before had not."""

    since_revision: Count
    events: int = Field(description="events more, or fewer where negative")
    errors: int
    by_event_type: dict[EventType, int] = Field(description="events more or fewer of each type; only where it differs")
    anomalies_added: list[str] = Field(description="such as `PAYMENT error_rate high`")
    anomalies_gone: list[str]

    @classmethod
    def between(cls, before: Report, after: Report) -> Changes:
        """The differences of two revisions of a minute."""
        added = {
            event_type: difference
            for event_type, stats in sorted(after.by_event_type.items())
            if (difference := stats.events - before.by_event_type[event_type].events)
        }
        old, new = ({anomaly.name for anomaly in report.anomalies} for report in (before, after))
        return cls(
            since_revision=before.revision,
            events=after.totals.events - before.totals.events,
            errors=after.totals.errors - before.totals.errors,
            by_event_type=added,
            anomalies_added=sorted(new - old),
            anomalies_gone=sorted(old - new),
        )


class Timings(_Model):
    """When each stage ended, UTC. Not part of the report's identity: a re-run has other times."""

    awaited_at: UtcDatetime | None = None
    exported_at: UtcDatetime | None = None
    detected_at: UtcDatetime | None = None
    published_at: UtcDatetime | None = None


class Report(_Model):
    """One revision of one minute's report."""

    schema_version: Literal["1"] = "1"
    window: UtcDatetime = Field(description="the minute's start, UTC")
    window_end: UtcDatetime
    revision: Count = 0
    revision_reason: str | None = None
    changes: Changes | None = Field(None, description="null in the first revision")
    complete: bool
    completeness: Completeness
    totals: Totals
    by_event_type: dict[EventType, EventTypeStats]
    anomalies: list[Anomaly]
    detector: Detector
    inputs: Inputs
    timings: Timings | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Report:
        if self.window_end - self.window != MINUTE:
            raise ValueError(f"window_end {self.window_end} is not one minute after window {self.window}")
        MinuteWindow(self.window)
        if missing := set(EventType) - set(self.by_event_type):
            raise ValueError(f"by_event_type lacks {', '.join(sorted(missing))}")
        by_type = sum(stats.events for stats in self.by_event_type.values())
        if by_type != self.totals.events:
            raise ValueError(f"totals.events {self.totals.events} is not the sum over by_event_type {by_type}")
        if self.complete != self.completeness.complete:
            raise ValueError(f"complete {self.complete} contradicts completeness.complete {self.completeness.complete}")
        return self

    def canonical_json(self) -> bytes:
        """The report's bytes without `timings`: the same inputs always give the same bytes."""
        content = self.model_dump(mode="json", exclude={"timings"} | (set() if self.changes else {"changes"}))
        return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    def finding(self) -> dict[str, Any]:
        """What the report says of its minute, without what tells one revision from another."""
        return self.model_dump(
            mode="json", exclude={"timings", "revision", "revision_reason", "changes", "inputs", "completeness"}
        )

    def digest(self) -> str:
        """SHA-256 of `canonical_json()`, hexadecimal."""
        return hashlib.sha256(self.canonical_json()).hexdigest()


def report_json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of `Report`."""
    return Report.model_json_schema(mode="serialization") | {"$schema": "https://json-schema.org/draft/2020-12/schema"}
