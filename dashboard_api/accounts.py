"""Where the accounts of minutes are kept: in Postgres, or in memory for tests of the routes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from threading import Lock
from typing import Any, Protocol

import psycopg2
from psycopg2.extensions import cursor as Cursor  # noqa: N812  # psycopg2 names its class in lower case

from clickpulse.accounting.record import AccountedMinute
from dashboard_api.database import Database
from dashboard_api.repository import UnstorableReportError
from dashboard_api.sql import query


class AccountRepository(Protocol):
    """Every method raises `TransientError` while the database can't be reached."""

    def put(self, accounts: Sequence[AccountedMinute]) -> int:
        """Keep those that were checked later than what there is of their minutes; how many that were.

        At most one account of each minute.

        Raises:
            UnstorableReportError: the database refuses a value.
        """

    def listed(self, start: datetime | None, end: datetime | None, limit: int) -> list[dict[str, Any]]:
        """Accounts of minutes that start in `[start, end)`, newest minute first, as they were posted."""

    def expire(self, before: datetime) -> int:
        """Delete accounts of minutes that started, and were checked last, before then; how many that were."""


class PostgresAccounts:
    """An `AccountRepository`; `prepare` makes the tables, and is harmless when they are there."""

    def __init__(self, database: Database, prepare: Callable[[], None]) -> None:
        self._database = database
        self._prepare = prepare

    def put(self, accounts: Sequence[AccountedMinute]) -> int:
        posted = [{**_json(one), "adds_up": one.adds_up, "body": _json(one)} for one in accounts]
        try:
            return len(self._fetch("put_accounts", {"accounts": json.dumps(posted)}))
        except psycopg2.DataError as error:
            raise UnstorableReportError(str(error).partition("\n")[0]) from error

    def listed(self, start: datetime | None, end: datetime | None, limit: int) -> list[dict[str, Any]]:
        return [row["body"] for row in self._fetch("list_accounts", {"from": start, "to": end, "limit": limit})]

    def expire(self, before: datetime) -> int:
        return len(self._fetch("delete_expired_accounts", {"before": before}))

    def _fetch(self, name: str, parameters: dict[str, Any]) -> list[Any]:
        self._prepare()

        def work(cursor: Cursor) -> list[Any]:
            cursor.execute(query(name), parameters)
            return cursor.fetchall()

        return self._database.run(work)


class MemoryAccounts:
    """An `AccountRepository` that forgets everything when the process ends."""

    def __init__(self) -> None:
        self._kept: dict[datetime, AccountedMinute] = {}
        self._lock = Lock()

    def put(self, accounts: Sequence[AccountedMinute]) -> int:
        with self._lock:
            newer = [one for one in accounts if self._is_newer(one)]
            self._kept |= {one.window: one for one in newer}
        return len(newer)

    def listed(self, start: datetime | None, end: datetime | None, limit: int) -> list[dict[str, Any]]:
        found = (one for one in self._kept.values() if _inside(one.window, start, end))
        return [_json(one) for one in sorted(found, key=lambda one: one.window, reverse=True)][:limit]

    def expire(self, before: datetime) -> int:
        with self._lock:
            old = [one.window for one in self._kept.values() if max(one.window, one.checked_at) < before]
            for window in old:
                del self._kept[window]
        return len(old)

    def _is_newer(self, account: AccountedMinute) -> bool:
        known = self._kept.get(account.window)
        return known is None or known.checked_at < account.checked_at


def _json(account: AccountedMinute) -> dict[str, Any]:
    return account.model_dump(mode="json")


def _inside(window: datetime, start: datetime | None, end: datetime | None) -> bool:
    return (start is None or window >= start) and (end is None or window < end)
