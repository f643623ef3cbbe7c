"""Reports in Postgres."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg2
from psycopg2.extensions import cursor as Cursor  # noqa: N812  # psycopg2 names its class in lower case

from clickpulse.reports import Report
from clickpulse.stored_reports import RevisionSummary
from clickpulse.windows import MinuteWindow
from dashboard_api.database import Database
from dashboard_api.listener import Listener
from dashboard_api.migrate import migrate
from dashboard_api.repository import Listing, ReportConflictError, StoredRow, UnstorableReportError
from dashboard_api.sql import query

_CHANNEL = "clickpulse_reports"
_ARRIVAL_LOCK = 0x61727269  # any number that no one else locks: "arri" in ASCII


class PostgresReports:
    """A `ReportRepository`. The tables are made at the first contact, whenever that is."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._prepared = False
        self._listener: Listener | None = None

    def prepare(self) -> None:
        if not self._prepared:
            migrate(self._database)
            self._prepared = True

    def add(self, report: Report) -> tuple[StoredRow, bool]:
        digest = report.digest()
        row = {
            "window": report.window,
            "revision": report.revision,
            "complete": report.complete,
            "digest": digest,
            "events": report.totals.events,
            "errors": report.totals.errors,
            "anomalies": len(report.anomalies),
            "body": report.model_dump_json(),
            "lock": _ARRIVAL_LOCK,
            "channel": _CHANNEL,
        }
        try:
            inserted = self._rows("insert_report", row)
        except psycopg2.DataError as error:
            raise UnstorableReportError(str(error).partition("\n")[0]) from error
        if inserted:
            return inserted[0], True
        # A statement of its own: it sees what the insert had to wait for.
        stored = self._rows("select_report", {"window": report.window, "revision": report.revision})[0]
        if stored.digest != digest:
            raise ReportConflictError(stored.window, stored.revision, stored.digest, digest)
        return stored, False

    def latest(self) -> StoredRow | None:
        return next(iter(self._rows("select_latest", {})), None)

    def one(self, window: MinuteWindow, revision: int | None) -> StoredRow | None:
        return next(iter(self._rows("select_report", {"window": window.start, "revision": revision})), None)

    def rows(self, listing: Listing, *, bodies: bool = True) -> list[StoredRow]:
        name = "list_all_revisions" if listing.all_revisions else "list_latest_revisions"
        parameters = {
            "from": listing.start,
            "to": listing.end,
            "after_window": listing.after and listing.after.window.start,
            "after_revision": listing.after and listing.after.revision,
            "limit": listing.limit,
            "bodies": bodies,
        }
        return self._rows(name, parameters)

    def revisions(self, window: MinuteWindow) -> list[RevisionSummary]:
        found = self._fetch("list_revisions", {"window": window.start})
        return [RevisionSummary.model_validate(dict(row)) for row in found]

    def newest_window(self) -> MinuteWindow | None:
        newest = self._fetch("select_newest_window", {})[0][0]
        return None if newest is None else MinuteWindow.containing(newest)

    def withdraw(self, window: MinuteWindow, revision: int | None) -> list[RevisionSummary]:
        deleted = self._fetch("delete_reports", {"window": window.start, "revision": revision})
        found = [RevisionSummary.model_validate(dict(row)) for row in deleted]
        return sorted(found, key=lambda one: one.revision, reverse=True)

    def after(self, position: int, limit: int) -> list[tuple[int, StoredRow]]:
        found = self._fetch("select_reports_after", {"position": position, "limit": limit})
        return [(row["position"], _stored(row)) for row in found]

    def newest_position(self) -> int:
        return int(self._fetch("select_newest_position", {})[0][0])

    def watch(self, wake: Callable[[], None]) -> None:
        self._listener = Listener(self._database.connect, _CHANNEL, wake)

    def check(self) -> None:
        self.newest_window()

    def close(self) -> None:
        if self._listener:
            self._listener.stop()
        self._database.close()

    def _rows(self, name: str, parameters: dict[str, Any]) -> list[StoredRow]:
        return [_stored(row) for row in self._fetch(name, parameters)]

    def _fetch(self, name: str, parameters: dict[str, Any]) -> list[Any]:
        self.prepare()

        def work(cursor: Cursor) -> list[Any]:
            cursor.execute(query(name), parameters)
            return cursor.fetchall()

        return self._database.run(work)


def _stored(row: Any) -> StoredRow:
    window = MinuteWindow.containing(row["window_start"])
    return StoredRow(window, row["revision"], row["digest"], row["received_at"], row["body"])
