"""A real Postgres: each service has a user and a database of its own, and no way into the other's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from clickpulse.credentials import generate_credentials
from clickpulse.derived_secrets import derive_files, raw_dir
from clickpulse.settings import PROJECT_ROOT
from postgres.settings import PostgresServerSettings, PostgresUserSettings
from postgres.setup import ensure_databases
from tests.support import free_port, wait_for


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServerSettings]:
    home, port = tmp_path_factory.mktemp("postgres"), free_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLICKPULSE_CREDS_DIR", str(home / "creds"))
        patch.setenv("CLICKPULSE_HOME", str(home))
        generate_credentials()
        derive_files()
        environment = os.environ | {"LOCAL_POSTGRES_PORT": str(port)}
        log = (home / "postgres.log").open("w")
        command = [sys.executable, "-m", "local.postgres"]
        process = subprocess.Popen(command, env=environment, cwd=PROJECT_ROOT, stdout=log, stderr=log)
        settings = PostgresServerSettings.load(port=port)

        def answers() -> bool:
            assert process.poll() is None, (home / "postgres.log").read_text()
            try:
                superuser(settings).close()
            except psycopg2.OperationalError:
                return False
            return True

        try:
            wait_for(answers, seconds=60, what="Postgres")
            yield settings
        finally:
            process.terminate()
            process.wait(30)
            log.close()


def superuser(settings: PostgresServerSettings) -> psycopg2.extensions.connection:
    return psycopg2.connect(
        host=settings.host, port=settings.port, user=settings.user, dbname="postgres",
        password=settings.password.get_secret_value(),
    )  # fmt: skip


def login(settings: PostgresServerSettings, user: str, database: str) -> psycopg2.extensions.connection:
    """As the services do: the password is in a file that the URL names."""
    return psycopg2.connect(
        f"postgresql://{user}@{settings.host}:{settings.port}/{database}?passfile={raw_dir() / f'pgpass_{user}'}"
    )


def run_setup(settings: PostgresServerSettings) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "postgres.setup"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False,
        env=os.environ | {"POSTGRES_HOST": settings.host, "POSTGRES_PORT": str(settings.port)},
    )  # fmt: skip


def test_each_owner_has_its_database_and_not_the_others(server: PostgresServerSettings) -> None:
    for _ in range(2):  # again changes nothing
        done = run_setup(server)
        assert done.returncode == 0, done.stderr
    for owner, other in (("airflow", "reports"), ("reports", "airflow")):
        with closing(login(server, owner, owner)) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE IF NOT EXISTS mine (a int)")
            cursor.execute("SELECT current_user, pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s", (owner,))
            assert cursor.fetchone() == (owner, owner)
        with pytest.raises(psycopg2.OperationalError, match="permission denied for database"):
            login(server, owner, other)


def test_the_logs_and_the_statements_have_no_password(server: PostgresServerSettings) -> None:
    done = run_setup(server)
    for owner in ("airflow", "reports"):
        secret = PostgresUserSettings.load_for(owner).password.get_secret_value()
        assert secret not in done.stdout + done.stderr
    with closing(superuser(server)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT rolpassword FROM pg_authid WHERE rolname = 'airflow'")
        assert str(cursor.fetchone()).startswith("('SCRAM-SHA-256$")


def test_a_changed_password_is_taken_over(server: PostgresServerSettings) -> None:
    file = Path(os.environ["CLICKPULSE_CREDS_DIR"], "postgres_reports.creds")
    file.write_text("POSTGRES_USER_PASSWORD=another one\n")
    with closing(login(server, "reports", "reports")):
        pass  # still the old one
    assert run_setup(server).returncode == 0
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        login(server, "reports", "reports")
    derive_files()
    login(server, "reports", "reports").close()


def test_a_server_that_is_away_is_named(server: PostgresServerSettings) -> None:
    from clickpulse.errors import TransientError

    away = server.model_copy(update={"port": free_port()})
    with pytest.raises(TransientError, match=rf"127\.0\.0\.1:{away.port} can't be used"):
        ensure_databases(away, {}, timeout_seconds=0.2)
