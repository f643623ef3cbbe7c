"""Reports as the report API hands them out: what was posted, and when the API had it.

Shared by the API and its readers (the `clickpulse report` command, the page).
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from clickpulse.reports import Count, Report, UtcDatetime

if TYPE_CHECKING:
    import httpx


class StoredReport(Report):
    """A report as posted, with the server's time of receipt."""

    received_at: UtcDatetime = Field(description="when the API stored it, by the database's clock")
    freshness_seconds: float = Field(description="`received_at` less `window_end`, seconds")

    def canonical_json(self) -> bytes:
        """The bytes of the report that was posted, so that `digest()` is the posted report's."""
        posted = self.model_dump(exclude={"received_at", "freshness_seconds"})
        return Report.model_validate(posted).canonical_json()


class ReportPage(BaseModel):
    """Reports of a range, newest minute first."""

    model_config = ConfigDict(frozen=True)

    items: list[StoredReport]
    next_cursor: str | None = Field(description="pass it as `cursor` for the next, older page; null: this is the last")


class RevisionSummary(BaseModel):
    """One revision of a minute, without its body."""

    model_config = ConfigDict(frozen=True)

    revision: Count
    revision_reason: str | None
    complete: bool
    events: Count
    digest: str = Field(description="SHA-256 of the report without its timings, hexadecimal")
    received_at: UtcDatetime


class RevisionList(BaseModel):
    """All revisions of a minute, highest first; the first is the one that counts."""

    model_config = ConfigDict(frozen=True)

    window: UtcDatetime
    revisions: list[RevisionSummary]


class ReportSummary(BaseModel):
    """A minute's highest revision, without its body."""

    model_config = ConfigDict(frozen=True)

    window: UtcDatetime = Field(description="the minute's start, UTC")
    revision: Count
    revision_reason: str | None
    complete: bool
    events: Count
    digest: str = Field(description="SHA-256 of the report without its timings, hexadecimal")
    cutoff: dict[int, Count] = Field(
        description="by Kafka partition: rows below this offset are part of the revision, those from it on are not"
    )
    received_at: UtcDatetime


class SummaryPage(BaseModel):
    """Summaries of a range, oldest minute first."""

    model_config = ConfigDict(frozen=True)

    items: list[ReportSummary]
    next_from: UtcDatetime | None = Field(description="pass it as `from` for the next page; null: this is the last")


class BatchOutcome(BaseModel):
    """What became of one report of a batch."""

    model_config = ConfigDict(frozen=True)

    window: UtcDatetime | None = Field(description="null where the report doesn't say a minute")
    revision: int | None = Field(description="null where the report doesn't say one")
    outcome: Literal["created", "unchanged", "conflict", "invalid"]
    detail: str | None = Field(None, description="why the report was not stored; absent where it is stored")


class Expiry(BaseModel):
    """What one call deleted of the reports that are kept no longer."""

    model_config = ConfigDict(frozen=True)

    before: UtcDatetime = Field(description="minutes of which everything is older, by event time and by receipt")
    minutes: Count
    revisions: Count
    more: bool = Field(description="there may be more of them: call again")


class Holdings(BaseModel):
    """What the report API holds."""

    model_config = ConfigDict(frozen=True)

    minutes: Count
    revisions: Count
    revisions_last_day: Count = Field(description="received in the last 24 hours")
    oldest_window: UtcDatetime | None
    newest_window: UtcDatetime | None
    oldest_received_at: UtcDatetime | None
    bytes: Count = Field(description="on disk, with indexes")
    retention_days: Count = Field(description="how long a report is kept after its minute, or its receipt if later")


class Health(BaseModel):
    """The answer of `/healthz` and `/readyz` when all is well."""

    status: Literal["ok", "ready"]


def report_summaries(client: httpx.Client, start: datetime, end: datetime) -> list[ReportSummary]:
    """The summary of each minute in `[start, end)` that has a report, oldest first.

    Args:
        client: of `clickpulse.clients.report_reader`.
        start: aware.
        end: aware.

    Raises:
        TransientError: the API does not answer, or answers 5xx or 429, after several attempts.
        ConfigurationError: the API refuses; the message is its problem details.
    """
    from clickpulse.report_calls import SUMMARIES, call

    found: list[ReportSummary] = []
    following: datetime | None = start
    while following is not None:
        parameters = {"from": following.isoformat(), "to": end.isoformat()}
        answer = call(client, "GET", SUMMARIES, what=f"reports from {parameters['from']}", params=parameters)
        page = SummaryPage.model_validate_json(answer.content)
        found += page.items
        following = page.next_from
    return found
