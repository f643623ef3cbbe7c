"""Reports in memory: for tests of the routes and for trying the API without Postgres."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

from clickpulse.reports import Report
from clickpulse.stored_reports import ReportSummary, RevisionSummary
from clickpulse.windows import MinuteWindow
from dashboard_api.repository import Listing, Outcome, Position, ReportConflictError, StoredRow


class MemoryReports:
    """A `ReportRepository` that forgets everything when the process ends."""

    def __init__(self) -> None:
        self._rows: dict[tuple[MinuteWindow, int], StoredRow] = {}
        self._arrived: list[StoredRow] = []
        self._watchers: list[Callable[[], None]] = []
        self._lock = Lock()

    def prepare(self) -> None:
        """Nothing to do."""

    def add(self, report: Report) -> tuple[StoredRow, bool]:
        window, digest = MinuteWindow(report.window), report.digest()
        with self._lock:
            stored = self._rows.get((window, report.revision))
            if stored is None:
                body = json.loads(report.model_dump_json())
                row = StoredRow(window, report.revision, digest, datetime.now(UTC), body)
                self._rows[window, report.revision] = row
                self._arrived.append(row)
                for wake in self._watchers:
                    wake()
                return row, True
        if stored.digest != digest:
            raise ReportConflictError(window, report.revision, stored.digest, digest)
        return stored, False

    def add_all(self, reports: Sequence[Report]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for report in reports:
            try:
                outcomes.append(self.add(report))
            except ReportConflictError as error:
                outcomes.append(error)
        return outcomes

    def latest(self) -> StoredRow | None:
        return max(self._rows.values(), key=_key, default=None)

    def one(self, window: MinuteWindow, revision: int | None) -> StoredRow | None:
        if revision is not None:
            return self._rows.get((window, revision))
        return max((row for row in self._rows.values() if row.window == window), key=_key, default=None)

    def rows(self, listing: Listing, *, bodies: bool = True) -> list[StoredRow]:
        del bodies
        found = sorted((row for row in self._rows.values() if _listed(row, listing)), key=_key, reverse=True)
        if not listing.all_revisions:
            found = [row for row in found if row == self.one(row.window, None)]
        if listing.complete is not None:
            found = [row for row in found if self._complete(row.window) == listing.complete]
        return found[: listing.limit]

    def revisions(self, window: MinuteWindow) -> list[RevisionSummary]:
        found = sorted((row for row in self._rows.values() if row.window == window), key=_key, reverse=True)
        return [_summary(row) for row in found]

    def summaries(self, start: datetime | None, end: datetime | None, limit: int) -> list[ReportSummary]:
        latest = self.rows(Listing(len(self._rows), start, end))
        return [_report_summary(row) for row in reversed(latest)][:limit]

    def newest_window(self) -> MinuteWindow | None:
        newest = self.latest()
        return newest.window if newest else None

    def withdraw(self, window: MinuteWindow, revision: int | None) -> list[RevisionSummary]:
        with self._lock:
            keys = sorted((key for key in self._rows if key[0] == window and revision in {None, key[1]}), reverse=True)
            return [_summary(self._rows.pop(key)) for key in keys]

    def expire(self, before: datetime, limit: int) -> list[tuple[MinuteWindow, int]]:
        with self._lock:
            newest: dict[MinuteWindow, datetime] = {}
            for row in self._rows.values():
                newest[row.window] = max(row.received_at, newest.get(row.window, row.received_at))
            old = sorted(window for window, came in newest.items() if window.start < before and came < before)[:limit]
            keys = sorted(key for key in self._rows if key[0] in set(old))
            for key in keys:
                del self._rows[key]
            return keys

    def holdings(self) -> dict[str, Any]:
        windows = [window.start for window, _ in self._rows]
        received = [row.received_at for row in self._rows.values()]
        yesterday = datetime.now(UTC) - timedelta(days=1)
        return {
            "minutes": len(set(windows)),
            "revisions": len(windows),
            "revisions_last_day": sum(moment >= yesterday for moment in received),
            "oldest_window": min(windows, default=None),
            "newest_window": max(windows, default=None),
            "oldest_received_at": min(received, default=None),
            "bytes": sum(len(json.dumps(row.body)) for row in self._rows.values()),
        }

    def after(self, position: int, limit: int) -> list[tuple[int, StoredRow]]:
        arrived = enumerate(self._arrived[position : position + limit], start=position + 1)
        return [(number, row) for number, row in arrived if self._rows.get(_key(row)) is row]

    def newest_position(self) -> int:
        return len(self._arrived)

    def watch(self, wake: Callable[[], None]) -> None:
        self._watchers.append(wake)

    def check(self) -> None:
        """Memory is always there."""

    def close(self) -> None:
        """Nothing to do."""

    def _complete(self, window: MinuteWindow) -> bool:
        latest = self.one(window, None)
        return bool(latest and latest.body and latest.body["complete"])


def _key(row: StoredRow) -> tuple[MinuteWindow, int]:
    return row.window, row.revision


def _listed(row: StoredRow, listing: Listing) -> bool:
    start = row.window.start
    inside = (listing.start is None or start >= listing.start) and (listing.end is None or start < listing.end)
    return inside and (listing.after is None or _below(row, listing.after, all_revisions=listing.all_revisions))


def _below(row: StoredRow, after: Position, *, all_revisions: bool) -> bool:
    if all_revisions:
        return _key(row) < (after.window, after.revision)
    return row.window < after.window


def _summary(row: StoredRow) -> RevisionSummary:
    body = row.body or {}
    return RevisionSummary(
        revision=row.revision,
        revision_reason=body.get("revision_reason"),
        complete=body["complete"],
        events=body["totals"]["events"],
        digest=row.digest,
        received_at=row.received_at,
    )


def _report_summary(row: StoredRow) -> ReportSummary:
    partitions = (row.body or {})["completeness"]["partitions"]
    cutoff = {one["partition"]: one["committed_offset"] for one in partitions}
    return ReportSummary(window=row.window.start, cutoff=cutoff, **_summary(row).model_dump())
