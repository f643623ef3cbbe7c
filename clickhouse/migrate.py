"""Brings a database to the schema of `clickhouse/migrations/`: `python -m clickhouse.migrate`.

Files are named `NNNN_what.sql` and applied once, in order. A file may hold several statements separated by `;`, with
the parameter `{ttl_days:UInt16}` from the settings; they are repeatable (`IF NOT EXISTS`), as a run may be killed in
between. An applied file is never changed: a new one is added. The TTL follows its setting at every run.
"""

from __future__ import annotations

import hashlib
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from clickhouse.queries import load
from clickhouse.sql_text import split_statements
from clickpulse.clients import clickhouse_client
from clickpulse.errors import ClickpulseError, ConfigurationError
from clickpulse.logs import configure_logging
from clickpulse.settings import ClickHouseSettings

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

FOLDER = Path(__file__).with_name("migrations")
_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_TTL = re.compile(r"toIntervalDay\((?:_CAST\()?(\d+)")
_EXPIRING = ("events", "events_per_minute")

log = structlog.get_logger()


@dataclass(frozen=True)
class Migration:
    """One file."""

    version: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def statements(self) -> list[str]:
        """The file's statements, without their semicolons."""
        return split_statements(self.text)


def read_migrations(folder: Path = FOLDER) -> list[Migration]:
    """All files in the order of their versions.

    Raises:
        ConfigurationError: a name is not `NNNN_what.sql`, or a version is missing or there twice.
    """
    migrations = []
    for file in sorted(folder.glob("*.sql")):
        match = _NAME.fullmatch(file.name)
        if match is None:
            raise ConfigurationError(f"migration {file.name}: name it NNNN_what.sql, such as 0004_sessions.sql")
        migrations.append(Migration(int(match[1]), match[2], file.read_text(encoding="utf-8")))
    versions = [migration.version for migration in migrations]
    if versions != list(range(1, len(versions) + 1)):
        raise ConfigurationError(
            f"migrations in {folder} have the versions {versions}: they go 1, 2, 3, … without a gap"
        )
    return migrations


def migrate(settings: ClickHouseSettings, migrations: list[Migration] | None = None) -> list[Migration]:
    """Create the database if there is none and apply what is missing; returns what was applied.

    Raises:
        ConfigurationError: an applied file was changed since, or the database is newer than these files.
    """
    migrations = read_migrations() if migrations is None else migrations
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
        if applied.get(migration.version, migration.checksum) != migration.checksum:
            raise ConfigurationError(
                f"migration {migration.version:04}_{migration.name}.sql was changed after it was applied: "
                "restore it and put the change into a new file"
            )
    return [migration for migration in migrations if migration.version not in applied]


def _apply(client: Client, migration: Migration, settings: ClickHouseSettings) -> None:
    parameters: dict[str, Any] = {"ttl_days": settings.event_ttl_days}
    for statement in migration.statements:
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
