"""Reads ClickHouse: what the rows of minutes add up to, and single rows where that is not enough."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from clickhouse.queries import load
from clickpulse.accounting.book import Sums
from clickpulse.accounting.columns import Ints, Rows
from clickpulse.errors import ConfigurationError, TransientError

if TYPE_CHECKING:
    import pyarrow as pa
    from clickhouse_connect.driver.client import Client

_LASTING_CODES = frozenset({36, 46, 47, 60, 62, 81, 164, 497, 516})
"""Errors that another attempt does not mend: a wrong setting, schema or right."""
_UNKNOWN_TABLE = 60


@dataclass(frozen=True)
class Arrivals:
    """Rows, and when ClickHouse stored each: milliseconds since the epoch."""

    rows: Rows
    arrived_ms: Ints

    def __len__(self) -> int:
        return len(self.rows)


class StoredEvents:
    """The tables of a database, read by a user who may only read.

    Args:
        client: used by nobody else meanwhile.
        first_minute: what minutes are counted from, in minutes of the epoch.
    """

    def __init__(self, client: Client, first_minute: int) -> None:
        self._client = client
        self._first = first_minute

    def sums(self, minutes: int) -> dict[int, Sums]:
        """What the rows of the first `minutes` minutes add up to, by partition."""
        table = self._ask("account_sums", 0, minutes)
        minute, partition = self._minute(table), _ints(table, "partition")
        rows, checks = _ints(table, "rows"), table.column("check").to_numpy().astype(np.uint64)
        found = {}
        for one in np.unique(partition).tolist():
            mine = partition == one
            sums = Sums(np.zeros(minutes, np.int64), np.zeros(minutes, np.uint64))
            sums.rows[minute[mine]] = rows[mine]
            sums.checks[minute[mine]] = checks[mine]
            found[one] = sums
        return found

    def rows(self, first: int, end: int) -> Arrivals:
        """The rows of minutes `[first, end)`."""
        return self._arrivals(self._ask("account_rows", first, end))

    def late(self, first: int, end: int) -> Arrivals:
        """The late ledger's rows of minutes `[first, end)`."""
        return self._arrivals(self._ask("account_late", first, end))

    def elsewhere(self, inner: tuple[int, int], outer: tuple[int, int]) -> Rows:
        """Rows of the minutes `outer` whose event_id is in rows of the minutes `inner`, both half-open."""
        return self._rows(self._ask("account_elsewhere", *outer, inner))

    def _ask(self, query: str, first: int, end: int, inner: tuple[int, int] | None = None) -> pa.Table:
        from clickhouse_connect.driver.exceptions import Error

        bounds = {"from": self._time(first), "to": self._time(end)}
        if inner is not None:
            bounds |= {"inner_from": self._time(inner[0]), "inner_to": self._time(inner[1])}
        try:
            return self._client.query_arrow(load(query), parameters=bounds)
        except Error as error:
            kind = ConfigurationError if error.code in _LASTING_CODES else TransientError
            hint = "; bring it up to date with `python -m clickhouse.migrate`" if error.code == _UNKNOWN_TABLE else ""
            raise kind(f"ClickHouse: {error}{hint}") from error

    def _arrivals(self, table: pa.Table) -> Arrivals:
        return Arrivals(self._rows(table), _ints(table, "arrived_ms"))

    def _rows(self, table: pa.Table) -> Rows:
        hashes = table.column("hash").to_numpy().astype(np.uint64)
        return Rows(self._minute(table), _ints(table, "partition"), _ints(table, "offset"), hashes)

    def _minute(self, table: pa.Table) -> Ints:
        return _ints(table, "minute") - self._first

    def _time(self, minute: int) -> str:
        """ClickHouse's form of a DateTime('UTC')."""
        return datetime.fromtimestamp((self._first + minute) * 60, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _ints(table: pa.Table, name: str) -> Ints:
    numbers: Ints = table.column(name).to_numpy().astype(np.int64)
    return numbers
