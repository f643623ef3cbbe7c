"""Reports as the report API hands them out: what was posted, and when the API had it.

Shared by the API and its readers (the `clickpulse report` command, the page).
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from clickpulse.reports import Count, Report, UtcDatetime


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


class Health(BaseModel):
    """The answer of `/healthz` and `/readyz` when all is well."""

    status: Literal["ok", "ready"]
