"""ClickHouse's tables: rows, bytes, from when to when, and how long a row is kept."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from clickpulse.clients import clickhouse_client
from clickpulse.doctor.model import Finding, Holding, Part, days
from clickpulse.errors import TransientError
from clickpulse.settings import ClickHouseSettings

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

TITLE = "ClickHouse"
_FOLDER = Path(__file__).parent
_TTL = re.compile(r"\bTTL (?:toDateTime\()?(\w+)\)? \+ toIntervalDay\((?:_CAST\()?(\d+)")
"""Days after a column's time; the days were a parameter of the migration, which ClickHouse shows as a cast."""


def examine(settings: ClickHouseSettings, *, local: bool) -> Part:
    """All tables of the settings' database.

    Args:
        settings: read as the user `reader`.
        local: its data is on this machine's disk.

    Raises:
        TransientError: ClickHouse does not answer, or refuses.
    """
    from clickhouse_connect.driver.exceptions import Error

    try:
        client = clickhouse_client(settings, reader=True)
        try:
            return _part(client, settings, local=local)
        finally:
            client.close()
    except Error as error:
        cause = str(error).strip().partition("\n")[0]
        raise TransientError(f"ClickHouse {settings.url} does not answer: {cause}") from error


def _part(client: Client, settings: ClickHouseSettings, *, local: bool) -> Part:
    holdings, findings = [], []
    grown = 0
    for name, rows, size, engine in client.query(_query("tables")).result_rows:
        column, kept_days = time_to_live(engine)
        oldest = newest = None
        if column and rows:
            parameters = {"table": name, "column": column}
            answer = client.query(_query("table_times"), parameters=parameters, query_tz="UTC", tz_mode="aware")
            oldest, newest, last_day = answer.result_rows[0]
            grown += size * last_day // rows
        kept = f"{days(kept_days)} after {column}" if kept_days else "without limit"
        holdings.append(Holding(name, "rows", rows, size, _moment(oldest), _moment(newest), kept))
        if kept_days not in {None, settings.event_ttl_days}:
            findings.append(
                Finding(
                    f"table {name} keeps rows for {days(kept_days or 0)}, and CLICKHOUSE_EVENT_TTL_DAYS is "
                    f"{settings.event_ttl_days}",
                    "run `python -m clickhouse.migrate` (`clickpulse up` does), which sets it",
                )
            )
    return Part("clickhouse", TITLE, holdings, findings, grown if local else 0)


def time_to_live(engine: str) -> tuple[str | None, int | None]:
    """The column and the days of a table's TTL, from its `engine_full`; None, None where it has none like that."""
    found = _TTL.search(engine)
    return (found[1], int(found[2])) if found else (None, None)


def _query(name: str) -> str:
    return (_FOLDER / f"{name}.sql").read_text(encoding="utf-8")


def _moment(value: object) -> datetime | None:
    return value if isinstance(value, datetime) else None
