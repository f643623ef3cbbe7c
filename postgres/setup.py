"""Makes the users and their databases: `python -m postgres.setup`. Doing it again changes nothing but the passwords,
which become those of the `.creds` files.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psycopg2
import stamina
import structlog
from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812  # psycopg2 names its class in lower case
from psycopg2.extensions import cursor as Cursor  # noqa: N812  # likewise
from psycopg2.extensions import encrypt_password

from clickpulse.errors import ClickpulseError, TransientError
from clickpulse.logs import configure_logging
from postgres.settings import OWNERS, Owner, PostgresServerSettings, PostgresUserSettings

CONNECT_SECONDS = 60

log = structlog.get_logger()


def ensure_databases(server: PostgresServerSettings, passwords: Mapping[Owner, str], *, timeout_seconds: float) -> None:
    """Make each user with its password, and the database of the same name, which nobody else may connect to.

    Raises:
        TransientError: Postgres did not answer in `timeout_seconds`, or refuses the superuser.
    """
    for attempt in stamina.retry_context(on=TransientError, attempts=None, timeout=timeout_seconds, wait_max=2):
        with attempt, _connection(server) as connection, connection.cursor() as cursor:
            for owner, password in passwords.items():
                _ensure_user(connection, cursor, owner, password)
                _ensure_database(cursor, owner)


@contextmanager
def _connection(server: PostgresServerSettings) -> Iterator[Connection]:
    try:
        connection = psycopg2.connect(
            host=server.host, port=server.port, user=server.user, password=server.password.get_secret_value(),
            dbname="postgres", connect_timeout=3,
        )  # fmt: skip
    except psycopg2.OperationalError as error:
        reason = str(error).strip().partition("\n")[0]
        raise TransientError(f"Postgres at {server.host}:{server.port} can't be used: {reason}") from error
    connection.autocommit = True  # CREATE DATABASE runs in no transaction
    try:
        yield connection
    finally:
        connection.close()


def _ensure_user(connection: Connection, cursor: Cursor, owner: Owner, password: str) -> None:
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (owner,))
    verb = "ALTER" if cursor.fetchone() else "CREATE"
    # Hashed here: statements may be logged, and are in pg_stat_activity while they run.
    verifier = encrypt_password(password, owner, scope=connection, algorithm="scram-sha-256")
    statement = sql.SQL(verb + " ROLE {} LOGIN PASSWORD {}")
    cursor.execute(statement.format(sql.Identifier(owner), sql.Literal(verifier)))
    log.info("user_set", user=owner, new=verb == "CREATE")


def _ensure_database(cursor: Cursor, owner: Owner) -> None:
    name = sql.Identifier(owner)
    cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (owner,))
    if not cursor.fetchone():
        cursor.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, name))
        log.info("database_made", database=owner)
    cursor.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))


def main() -> int:
    """Make the users and databases; status 1 with a message when that can't be done."""
    configure_logging("postgres-setup")
    try:
        server = PostgresServerSettings.load()
        passwords = {owner: PostgresUserSettings.load_for(owner).password.get_secret_value() for owner in OWNERS}
        ensure_databases(server, passwords, timeout_seconds=CONNECT_SECONDS)
    except ClickpulseError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
