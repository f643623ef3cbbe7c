"""Secrets in the form that images which aren't ours want them: files in `creds_dir()/raw`, from the `.creds` files.

Each container is given the files it needs and no other; what a server only has to check is hashed. They are written
anew by every `clickpulse creds`, so that they follow the `.creds` files, and nobody but their owner can read them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from clickpulse.credentials import write_private
from clickpulse.errors import ConfigurationError
from clickpulse.kafka_login import jaas_line
from clickpulse.settings import creds_dir, tokens_of

DATABASE_OWNERS = ("airflow", "reports")
"""Postgres' users, each with the database of its name."""

REDIS_USERS = {
    "airflow": "~* &* +@all -@admin -flushall -flushdb",
    "reports": "~clickpulse:limits* -@all +@read +@write +@scripting +@connection -@dangerous",
}
"""Redis' users and what they may do: Celery's queue is Airflow's, and the report API only counts requests."""


def raw_dir() -> Path:
    return creds_dir() / "raw"


def derive_files() -> list[Path]:
    """Write the files; returns those whose content changed.

    Raises:
        ConfigurationError: a `.creds` file lacks a variable.
    """
    raw_dir().mkdir(parents=True, exist_ok=True, mode=0o700)
    changed = []
    for name, text in _contents().items():
        file = raw_dir() / name
        if not file.is_file() or file.read_text() != text:
            write_private(file, text)
            changed.append(file)
    return changed


def _contents() -> dict[str, str]:
    clickhouse, reports = _read("clickhouse"), _read("report_api")
    redis = {user: _value(_read(f"redis_{user}"), "REDIS_PASSWORD") for user in REDIS_USERS}
    return {
        # The official Postgres and Grafana images read a password from a file that has nothing else in it.
        "POSTGRES_PASSWORD": _value(_read("postgres"), "POSTGRES_PASSWORD"),
        "GRAFANA_ADMIN_PASSWORD": _value(_read("grafana"), "GRAFANA_ADMIN_PASSWORD"),
        **{f"pgpass_{owner}": _pgpass(owner) for owner in DATABASE_OWNERS},
        "redis_users.acl": _redis_users(redis),
        # The report API's own, with the Redis that its replicas count requests in.
        "report_api.creds": "".join(f"{name}={value}\n" for name, value in reports.items())
        + f"REPORT_API_REDIS_URL=redis://reports:{redis['reports']}@redis:6379/0\n",
        "REPORT_API_READ_TOKEN": tokens_of(SecretStr(_value(reports, "REPORT_API_READ_TOKEN")))[0],
        "kafka_ui.yml": _kafka_ui(_read("kafka_viewer"), _value(_read("kafka_ui"), "KAFKA_UI_PASSWORD")),
        "clickhouse_users.xml": _clickhouse_users(
            {
                "clickpulse": _value(clickhouse, "CLICKHOUSE_PASSWORD"),
                "reader": _value(clickhouse, "CLICKHOUSE_READER_PASSWORD"),
            }
        ),
    }


def _pgpass(owner: str) -> str:
    """A password file of libpq's, named in a URL by `passfile=`: the URL itself is then no secret."""
    password = _value(_read(f"postgres_{owner}"), "POSTGRES_USER_PASSWORD")
    return f"*:*:*:{owner}:{password}\n"


def _redis_users(passwords: Mapping[str, str]) -> str:
    """Without a login one can only ask whether Redis is there; nobody can change its configuration."""
    users = (f"user {user} on #{_sha256(password)} {REDIS_USERS[user]}\n" for user, password in passwords.items())
    return "user default on nopass -@all +ping\n" + "".join(users)


def _clickhouse_users(passwords: Mapping[str, str]) -> str:
    users = "".join(
        f"<{name}><password_sha256_hex>{_sha256(password)}</password_sha256_hex></{name}>"
        for name, password in passwords.items()
    )
    return f"<clickhouse><users>{users}</users></clickhouse>\n"


def _kafka_ui(viewer: Mapping[str, str | None], password: str) -> str:
    """Configuration of the Kafka UI: who may look at it, and as whom it looks at Kafka."""
    login = jaas_line(_value(viewer, "KAFKA_SASL_USERNAME"), _value(viewer, "KAFKA_SASL_PASSWORD"))
    properties = {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.jaas.config": login,
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": "/run/secrets/certs/ca.crt",
    }
    cluster = {
        "name": "clickpulse",
        "bootstrapServers": "${KAFKA_BOOTSTRAP_SERVERS}",
        "readOnly": True,
        "properties": properties,
    }
    document = {
        "auth": {"type": "LOGIN_FORM"},
        "spring": {"security": {"user": {"name": "admin", "password": password}}},
        "kafka": {"clusters": [cluster]},
    }
    return json.dumps(document, indent=1) + "\n"  # JSON is YAML


def _sha256(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()


def _read(name: str) -> dict[str, str | None]:
    from dotenv import dotenv_values

    return dict(dotenv_values(creds_dir() / f"{name}.creds"))


def _value(variables: Mapping[str, str | None], name: str) -> str:
    if value := variables.get(name):
        return value
    raise ConfigurationError(f"{name} is missing in {creds_dir()}: run `clickpulse creds`")
