"""Brings the database's tables up to date: `python -m dashboard_api.migrate`, and at every start.

`migrations/NNNN_name.sql` are applied in order, once each, all in one transaction under an
advisory lock. A file that was applied may not change any more.
"""

from __future__ import annotations

import sys

import structlog
from psycopg2.extensions import cursor as Cursor  # noqa: N812  # psycopg2 names its class in lower case

from clickpulse.errors import ClickpulseError
from clickpulse.logs import configure_logging
from clickpulse.migrations import Migration, read_migrations
from dashboard_api.database import Database
from dashboard_api.settings import ReportApiSettings
from dashboard_api.sql import MIGRATIONS, query

LOCK_KEY = 0x636C69636B70756C  # any number that no one else locks: "clickpul" in ASCII

log = structlog.get_logger()


def migrate(database: Database, migrations: list[Migration] | None = None) -> list[int]:
    """Apply what is not yet applied; return the versions applied now (none the second time).

    Raises:
        TransientError: Postgres can't be reached.
        ConfigurationError: an applied migration's file was changed.
    """
    todo = read_migrations(MIGRATIONS) if migrations is None else migrations
    applied = database.run(lambda cursor: _apply(cursor, todo))
    for version in applied:
        log.info("migration applied", version=version)
    return applied


def _apply(cursor: Cursor, migrations: list[Migration]) -> list[int]:
    cursor.execute(query("lock_migrations"), {"key": LOCK_KEY})
    cursor.execute(query("create_migrations_table"))
    cursor.execute(query("select_migrations"))
    known: dict[int, str] = dict(cursor.fetchall())
    applied = []
    for migration in migrations:
        if migration.version in known:
            migration.check_unchanged(known[migration.version])
            continue
        cursor.execute(migration.text)
        row = {"version": migration.version, "name": migration.name, "checksum": migration.checksum}
        cursor.execute(query("insert_migration"), row)
        applied.append(migration.version)
    return applied


def main() -> None:
    """Migrate and say what was done; status 1 with a message where that is impossible."""
    configure_logging("report-api-migrate")
    try:
        settings = ReportApiSettings.load()
        database = Database(settings.database_url.get_secret_value(), size=1)
        applied = migrate(database)
        database.close()
    except ClickpulseError as error:
        log.error("migration failed", error=str(error))  # noqa: TRY400  # expected: the message says it all
        sys.exit(1)
    log.info("database is up to date", applied=applied)


if __name__ == "__main__":
    main()
