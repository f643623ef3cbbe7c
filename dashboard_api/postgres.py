"""Reports in Postgres."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import psycopg2
from psycopg2.extensions import cursor as Cursor  # noqa: N812  # psycopg2 names its class in lower case

from clickpulse.reports import Report
from clickpulse.stored_reports import ReportSummary, RevisionSummary
from clickpulse.windows import MinuteWindow
from dashboard_api.database import Database
from dashboard_api.listener import Listener
from dashboard_api.migrate import migrate
from dashboard_api.repository import Listing, Outcome, ReportConflictError, StoredRow, UnstorableReportError
from dashboard_api.sql import query

_CHANNEL = "clickpulse_reports"
_ARRIVAL_LOCK = 0x61727269  # any number that no one else locks: "arri" in ASCII
_ARRIVAL = {"lock": _ARRIVAL_LOCK, "channel": _CHANNEL}
_COLUMNS = ("window", "revision", "complete", "digest", "events", "errors", "anomalies", "body")

_Key = tuple[datetime, int]


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
        values = _values(report)
        try:
            inserted = self._rows("insert_report", values | _ARRIVAL)
        except psycopg2.DataError as error:
            raise UnstorableReportError(str(error).partition("\n")[0]) from error
        if inserted:
            return inserted[0], True
        # A statement of its own: it sees what the insert had to wait for.
        stored = self._rows("select_report", {"window": report.window, "revision": report.revision})[0]
        return _same(stored, values["digest"]), False

    def add_all(self, reports: Sequence[Report]) -> list[Outcome]:
        """One transaction for all: one commit instead of hundreds, and those who follow are told once.

        A taken key does not end the transaction, so a refused report stops no other. Only a value that Postgres has no
        room for does; then each report is stored alone, which is harmless as nothing was.
        """
        if not reports:
            return []
        self.prepare()
        values = [_values(report) for report in reports]
        try:
            created, stored = self._database.run(lambda cursor: _insert_all(cursor, values))
        except psycopg2.DataError:
            return [self._outcome(report) for report in reports]
        outcomes: list[Outcome] = []
        for one in values:
            key = _key_of(one)
            if key in created:  # the first of the batch with this key
                outcomes.append((created.pop(key), True))
                continue
            try:
                outcomes.append((_same(stored[key], one["digest"]), False))
            except ReportConflictError as error:
                outcomes.append(error)
        return outcomes

    def _outcome(self, report: Report) -> Outcome:
        try:
            return self.add(report)
        except (ReportConflictError, UnstorableReportError) as error:
            return error

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
            "complete": listing.complete,
        }
        return self._rows(name, parameters)

    def revisions(self, window: MinuteWindow) -> list[RevisionSummary]:
        found = self._fetch("list_revisions", {"window": window.start})
        return [RevisionSummary.model_validate(dict(row)) for row in found]

    def summaries(self, start: datetime | None, end: datetime | None, limit: int) -> list[ReportSummary]:
        found = self._fetch("list_summaries", {"from": start, "to": end, "limit": limit})
        return [ReportSummary.model_validate(dict(row)) for row in found]

    def newest_window(self) -> MinuteWindow | None:
        newest = self._fetch("select_newest_window", {})[0][0]
        return None if newest is None else MinuteWindow.containing(newest)

    def withdraw(self, window: MinuteWindow, revision: int | None) -> list[RevisionSummary]:
        deleted = self._fetch("delete_reports", {"window": window.start, "revision": revision})
        found = [RevisionSummary.model_validate(dict(row)) for row in deleted]
        return sorted(found, key=lambda one: one.revision, reverse=True)

    def expire(self, before: datetime, limit: int) -> list[tuple[MinuteWindow, int]]:
        deleted = self._fetch("delete_expired", {"before": before, "limit": limit})
        return sorted((MinuteWindow.containing(row["window_start"]), row["revision"]) for row in deleted)

    def holdings(self) -> dict[str, Any]:
        return dict(self._fetch("select_holdings", {})[0])

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


def _values(report: Report) -> dict[str, Any]:
    return {
        "window": report.window,
        "revision": report.revision,
        "complete": report.complete,
        "digest": report.digest(),
        "events": report.totals.events,
        "errors": report.totals.errors,
        "anomalies": len(report.anomalies),
        "body": report.model_dump_json(),
    }


def _same(stored: StoredRow, digest: str) -> StoredRow:
    """The stored row, if it has this digest, else `ReportConflictError`."""
    if stored.digest != digest:
        raise ReportConflictError(stored.window, stored.revision, stored.digest, digest)
    return stored


def _insert_all(
    cursor: Cursor, values: Sequence[dict[str, Any]]
) -> tuple[dict[_Key, StoredRow], dict[_Key, StoredRow]]:
    """Store what is not there yet: the rows stored now, and the rows of all keys, both without bodies."""
    first: dict[_Key, dict[str, Any]] = {}
    for one in values:
        first.setdefault(_key_of(one), one)
    columns = {name: [one[name] for one in first.values()] for name in _COLUMNS}
    cursor.execute(query("insert_reports"), columns | _ARRIVAL)
    created = {_key_of_row(row): row for row in map(_stored, cursor.fetchall())}
    # A statement of its own: it sees what the insert had to wait for.
    cursor.execute(query("select_keys"), {name: columns[name] for name in ("window", "revision")})
    return created, {_key_of_row(row): row for row in map(_stored, cursor.fetchall())}


def _key_of(values: dict[str, Any]) -> _Key:
    return values["window"], values["revision"]


def _key_of_row(row: StoredRow) -> _Key:
    return row.window.start, row.revision
