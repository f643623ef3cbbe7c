"""Credentials, generated once: `<service>.creds` files that only their owner can read and git ignores."""

from __future__ import annotations

import base64
import json
import os
import secrets
import uuid
from collections.abc import Callable
from pathlib import Path

from clickpulse.settings import PRINCIPALS, creds_dir


def _password() -> str:
    return secrets.token_urlsafe(24)


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _cluster_id() -> str:
    return uuid.uuid4().hex[:22]


def _principal(name: str) -> dict[str, Callable[[], str]]:
    return {"KAFKA_SASL_USERNAME": lambda: name, "KAFKA_SASL_PASSWORD": _password}


CREDENTIALS: dict[str, dict[str, Callable[[], str]]] = {
    # A file for each of Kafka's users, so that a service is given its own and no other.
    **{f"kafka_{name}": _principal(name) for name in PRINCIPALS},
    # Not a secret, but made once and the same on every node.
    "kafka_cluster": {"KAFKA_BROKER_CLUSTER_ID": _cluster_id},
    "clickhouse": {"CLICKHOUSE_PASSWORD": _password, "CLICKHOUSE_READER_PASSWORD": _password},
    "s3": {"S3_ACCESS_KEY": lambda: secrets.token_hex(10), "S3_SECRET_KEY": lambda: secrets.token_hex(20)},
    "postgres": {"POSTGRES_PASSWORD": _password},
    # Users of the distributed profile's Postgres, each with a database of its own.
    **{f"postgres_{owner}": {"POSTGRES_USER_PASSWORD": _password} for owner in ("airflow", "reports")},
    **{f"redis_{user}": {"REDIS_PASSWORD": _password} for user in ("airflow", "reports")},
    "spark": {"SPARK_AUTHENTICATE_SECRET": _password},
    "grafana": {"GRAFANA_ADMIN_PASSWORD": _password},
    "kafka_ui": {"KAFKA_UI_PASSWORD": _password},
    "report_api": {
        "REPORT_API_WRITE_TOKEN": _password,
        "REPORT_API_READ_TOKEN": _password,
        "REPORT_API_ADMIN_TOKEN": _password,
    },
    # The secret of the page as the provider's client is the provider's to make: add it by hand.
    "dashboard": {"DASHBOARD_OIDC_COOKIE_SECRET": lambda: secrets.token_urlsafe(32)},
    "airflow": {
        "AIRFLOW_ADMIN_PASSWORD": _password,
        "AIRFLOW__API_AUTH__JWT_SECRET": lambda: secrets.token_hex(32),
        "AIRFLOW__API__SECRET_KEY": lambda: secrets.token_hex(32),
        "AIRFLOW__CORE__FERNET_KEY": _fernet_key,
    },
}
"""File (without `.creds`) -> variable -> what makes its value."""

CLIENT_COPIES = {
    "report_api_reader": ("report_api", "REPORT_API_READ_TOKEN"),
    "report_api_writer": ("report_api", "REPORT_API_WRITE_TOKEN"),
}
"""File for a client that must not have the service's own -> the service's file, and the one variable copied from it."""


def generate_credentials() -> list[Path]:
    """Add what is missing and keep what is there; returns the files that were written."""
    from dotenv import dotenv_values

    written = []
    creds_dir().mkdir(parents=True, exist_ok=True)
    for service, variables in CREDENTIALS.items():
        file = creds_dir() / f"{service}.creds"
        known = dotenv_values(file) if file.is_file() else {}
        missing = {name: make() for name, make in variables.items() if not known.get(name)}
        if missing:
            lines = file.read_text() if file.is_file() else ""
            write_private(file, lines + "".join(f"{name}={value}\n" for name, value in missing.items()))
            written.append(file)
    return written + [copy for name in CLIENT_COPIES if (copy := _copy(name))]


def _copy(name: str) -> Path | None:
    """Bring a client's file up to date with the service's; gives it if it changed."""
    from dotenv import dotenv_values

    source, variable = CLIENT_COPIES[name]
    file = creds_dir() / f"{name}.creds"
    value = dotenv_values(creds_dir() / f"{source}.creds")[variable]
    text = f"# Copied from {source}.creds by `clickpulse creds`.\n{variable}={value}\n"
    if file.is_file() and file.read_text() == text:
        return None
    write_private(file, text)
    return file


def write_private(file: Path, text: str) -> None:
    """Replace `file` in one step; only its owner can read it at any time."""
    part = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(text)
    part.replace(file)


def write_airflow_passwords(file: Path) -> None:
    """The password file of Airflow's SimpleAuthManager, from the generated admin password."""
    from dotenv import dotenv_values

    password = dotenv_values(creds_dir() / "airflow.creds")["AIRFLOW_ADMIN_PASSWORD"]
    write_private(file, json.dumps({"admin": password}))
