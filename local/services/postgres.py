"""Postgres: the databases of Airflow and of the report API."""

from __future__ import annotations

from local import probes
from local.services.base import Service, Stack, python_module
from local.settings import HOST

DATABASES = ("airflow", "reports")


def services(stack: Stack) -> list[Service]:
    def create_databases() -> None:
        import psycopg2
        from psycopg2 import sql

        connection = psycopg2.connect(stack.postgres_url)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT datname FROM pg_database")
                known = {name for (name,) in cursor.fetchall()}
                for name in set(DATABASES) - known:
                    cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        finally:
            connection.close()

    return [
        Service(
            name="postgres",
            title="Postgres",
            command=python_module("local.postgres"),
            probe=probes.postgres(stack.postgres_url),
            address=f"{HOST}:{stack.local.postgres_port}",
            prepare=create_databases,
        )
    ]
