"""Brings a database to the schema of `clickhouse/migrations/`: `python -m clickhouse.migrate`.

Files are named `NNNN_what.sql` and applied once, in order. A file may hold several statements separated by `;`, with
the parameter `{ttl_days:UInt16}` from the settings; they are repeatable (`IF NOT EXISTS`), as a run may be killed in
between. An applied file is never changed: a new one is added. The TTL follows its setting at every run.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from clickhouse.queries import load
from clickhouse.sql_text import split_statements
from clickpulse.clients import clickhouse_client
from clickpulse.errors import ClickpulseError, ConfigurationError
from clickpulse.logs import configure_logging
from clickpulse.migrations import Migration, read_migrations
from clickpulse.settings import ClickHouseSettings

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

FOLDER = Path(__file__).with_name("migrations")
_TTL = re.compile(r"toIntervalDay\((?:_CAST\()?(\d+)")
_EXPIRING = ("events", "minute_aggregates", "revision_cutoffs", "late_ledger")

log = structlog.get_logger()


def migrate(settings: ClickHouseSettings, migrations: list[Migration] | None = None) -> list[Migration]:
    """Create the database if there is none and apply what is missing; returns what was applied.

    Raises:
        ConfigurationError: an applied file was changed since, or the database is newer than these files.
    """
    migrations = read_migrations(FOLDER) if migrations is None else migrations
    with clickhouse_client(settings, database="default") as client:
        client.command(load("create_database"), parameters={"database": settings.database})
    with clickhouse_client(settings) as client:
        client.command(load("create_migrations_table"))
        missing = _missing(client, migrations)
        for migration in missing:
            _apply(client, migration, settings)
        _set_ttl(client, settings.event_ttl_days)
    return missing


def _missing(client: Client, migrations: list[Migration]) -> list[Migration]:
    applied = dict(client.query(load("applied_migrations")).result_rows)
    known = {migration.version for migration in migrations}
    if newer := sorted(set(applied) - known):
        raise ConfigurationError(
            f"the database has migrations {newer} that this version does not know: use a newer one"
        )
    for migration in migrations:
        if migration.version in applied:
            migration.check_unchanged(applied[migration.version])
    return [migration for migration in migrations if migration.version not in applied]


def _apply(client: Client, migration: Migration, settings: ClickHouseSettings) -> None:
    parameters: dict[str, Any] = {"ttl_days": settings.event_ttl_days}
    for statement in split_statements(migration.text):
        used = {name: value for name, value in parameters.items() if f"{{{name}:" in statement}
        client.command(statement, parameters=used)
    client.insert(
        "schema_migrations",
        [[migration.version, migration.name, migration.checksum]],
        column_names=["version", "name", "checksum"],
    )
    log.info("migration_applied", version=migration.version, name=migration.name)


def _set_ttl(client: Client, days: int) -> None:
    """Follow the setting: rows are dropped when ClickHouse merges the next time."""
    for table in _EXPIRING:
        definition = str(client.command("SHOW CREATE TABLE {table:Identifier}", parameters={"table": table}))
        current = _TTL.search(definition)
        if current is None or int(current[1]) != days:
            client.command(load(f"set_{table}_ttl"), parameters={"ttl_days": days})
            log.info("ttl_changed", table=table, days=days)


def main() -> int:
    """Migrate the database of the settings; status 1 with a message when that can't be done."""
    from clickhouse_connect.driver.exceptions import Error

    configure_logging("clickhouse-migrate")
    try:
        applied = migrate(ClickHouseSettings.load())
    except (ClickpulseError, Error) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - for the person who ran it
        return 1
    log.info("migrated", applied=len(applied))
    return 0


if __name__ == "__main__":
    sys.exit(main())
