"""Where reports are kept, as the routes see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from clickpulse.errors import ClickpulseError
from clickpulse.reports import Report
from clickpulse.stored_reports import ReportSummary, RevisionSummary
from clickpulse.windows import MinuteWindow


class ReportConflictError(ClickpulseError):
    """The window and revision are taken by a report with other content."""

    def __init__(self, window: MinuteWindow, revision: int, stored_digest: str, posted_digest: str) -> None:
        super().__init__(
            f"revision {revision} of {window} is stored with other content: "
            "a stored revision never changes, post what changed as the next revision"
        )
        self.stored_digest = stored_digest
        self.posted_digest = posted_digest


class UnstorableReportError(ClickpulseError):
    """A value is valid JSON and valid for the model, but the database has no room for it."""


@dataclass(frozen=True)
class StoredRow:
    """One stored revision. `body` is the report as posted; None where a listing asked for no bodies."""

    window: MinuteWindow
    revision: int
    digest: str
    received_at: datetime
    body: dict[str, Any] | None


Outcome = tuple[StoredRow, bool] | ReportConflictError | UnstorableReportError
"""What became of one report of several: the stored row and whether it is new, or why it was not stored."""


@dataclass(frozen=True)
class Position:
    """Where a page ended: the next one starts below this window (and revision)."""

    window: MinuteWindow
    revision: int


@dataclass(frozen=True)
class Listing:
    """What to list: minutes starting in `[start, end)`, newest first.

    With `complete`, only those minutes of which the highest revision is complete, or is not.
    """

    limit: int
    start: datetime | None = None
    end: datetime | None = None
    after: Position | None = None
    all_revisions: bool = False
    complete: bool | None = None


class ReportRepository(Protocol):
    """Every method raises `TransientError` while the database can't be reached."""

    def prepare(self) -> None:
        """Bring the tables up to date; harmless when they are."""

    def add(self, report: Report) -> tuple[StoredRow, bool]:
        """Store the report if its key is free: the stored row, and whether it is new.

        Raises:
            ReportConflictError: the key is taken by other content.
            UnstorableReportError: the database refuses a value.
        """

    def add_all(self, reports: Sequence[Report]) -> list[Outcome]:
        """Store each report whose key is free; the outcomes in the reports' order. A refused one stops no other."""

    def latest(self) -> StoredRow | None:
        """The highest revision of the newest window."""

    def one(self, window: MinuteWindow, revision: int | None) -> StoredRow | None:
        """One revision, by default the highest."""

    def rows(self, listing: Listing, *, bodies: bool = True) -> list[StoredRow]:
        """At most `listing.limit` rows."""

    def revisions(self, window: MinuteWindow) -> list[RevisionSummary]:
        """All revisions of the window, highest first."""

    def summaries(self, start: datetime | None, end: datetime | None, limit: int) -> list[ReportSummary]:
        """The highest revision of each minute in `[start, end)`, oldest first, at most `limit`."""

    def newest_window(self) -> MinuteWindow | None: ...

    def withdraw(self, window: MinuteWindow, revision: int | None) -> list[RevisionSummary]:
        """Delete one revision of the window, by default all; what was deleted, highest first."""

    def expire(self, before: datetime, limit: int) -> list[tuple[MinuteWindow, int]]:
        """Delete all revisions of minutes that started, and of which the last revision came, before then.

        Of at most `limit` minutes, the oldest first; what was deleted.
        """

    def holdings(self) -> dict[str, Any]:
        """The members of `Holdings`, without the setting."""

    def after(self, position: int, limit: int) -> list[tuple[int, StoredRow]]:
        """Reports that came after the position, each with its own, in the order of their arrival."""

    def newest_position(self) -> int:
        """The position of the report that came last; 0 while there is none."""

    def watch(self, wake: Callable[[], None]) -> None:
        """Call `wake`, in any thread, soon after a report was stored, by whatever process, until `close`.

        Calls may be too many, and one may stand for several reports.
        """

    def check(self) -> None:
        """Return if reports can be read now."""

    def close(self) -> None: ...
