"""Which stack runs in this home: its ports, addresses and shared environment, kept in `stack.env`."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from dotenv import dotenv_values

from clickpulse.credentials import write_private
from clickpulse.settings import ConnectSettings, certs_dir, creds_dir, env_dir, home_dir, stack_env_file
from local.java import jar_dir
from local.postgres import PostgresSettings
from local.services import Stack
from local.settings import HOST, PORT_FIELDS, LocalSettings, data_dir, log_dir, run_dir


def open_stack(settings: LocalSettings) -> Stack:
    """The stack of this home, as the services see it; credentials have to exist."""
    shared = os.environ | {
        "CLICKPULSE_HOME": str(home_dir()),
        "CLICKPULSE_ENV_DIR": str(env_dir()),
        "CLICKPULSE_CREDS_DIR": str(creds_dir()),
        "PYTHONUNBUFFERED": "1",
        "MALLOC_ARENA_MAX": "2",
        "TZ": "UTC",
        **_without_proxy(),
        "SPT_NOENV": "1",  # Airflow's process titles would overwrite the environment that `down` finds processes by
    }
    return Stack(settings, shared, PostgresSettings.load().url(settings.postgres_port, "postgres"))


def _without_proxy() -> dict[str, str]:
    """A proxy of the machine's has no business between the services."""
    hosts = dict.fromkeys([*os.environ.get("NO_PROXY", os.environ.get("no_proxy", "")).split(","), HOST, "localhost"])
    value = ",".join(host for host in hosts if host)
    return {"NO_PROXY": value, "no_proxy": value}


def write_stack_env(settings: LocalSettings) -> None:
    """Keep the addresses for the services and for later commands; the first start's minute is kept as it was."""
    for folder in (data_dir(), log_dir(), run_dir()):
        folder.mkdir(parents=True, exist_ok=True)
    known = dotenv_values(stack_env_file()) if stack_env_file().is_file() else {}
    lines = ["# Written by `clickpulse up`: the addresses of the stack that runs in this folder."]
    lines += [f"{name}={value}" for name, value in _addresses(settings).items()]
    lines.append(f"LOCAL_TRAFFIC={str(settings.traffic).lower()}")
    lines += [f"{name}={value}" for name, value in (_sink(settings) | _tls(settings)).items()]
    lines.append(f"REPORT_START={known.get('REPORT_START') or datetime.now(UTC).strftime('%Y-%m-%dT%H:%M:00Z')}")
    write_private(stack_env_file(), "\n".join(lines) + "\n")


def _sink(settings: LocalSettings) -> dict[str, object]:
    """Which sink runs and, for Connect, the archive given for its connector: later commands need not be told again."""
    chosen: dict[str, object] = {"LOCAL_SINK": settings.sink}
    if settings.sink == "connect":
        connect = ConnectSettings.load()
        if connect.sink_archive is not None:
            chosen |= {"CONNECT_SINK_ARCHIVE": connect.sink_archive, "CONNECT_SINK_SHA256": connect.sink_sha256}
    return chosen


def _tls(settings: LocalSettings) -> dict[str, object]:
    """Which certificates the servers show, and whom their clients trust."""
    if not settings.tls:
        return {"LOCAL_TLS": "false"}
    servers = {"CLICKHOUSE_SERVER": "clickhouse", "REPORT_API": "report_api", "DASHBOARD": "dashboard"}
    clients = ("CLICKHOUSE", "CLICKHOUSE_SERVER", "S3", "REPORT_API")
    return {
        "LOCAL_TLS": "true",
        **{f"{prefix}_TLS_CERT": certs_dir() / f"{name}.crt" for prefix, name in servers.items()},
        **{f"{prefix}_TLS_KEY": certs_dir() / f"{name}.key" for prefix, name in servers.items()},
        **{f"{prefix}_CA_FILE": settings.ca_file for prefix in clients},
    }


def _addresses(settings: LocalSettings) -> dict[str, object]:
    ports = {f"LOCAL_{name.upper()}": getattr(settings, name) for name in PORT_FIELDS}
    database = PostgresSettings.load().url(settings.postgres_port, "reports")
    return ports | {
        "KAFKA_BOOTSTRAP_SERVERS": f"{HOST}:{settings.kafka_port}",
        "SCHEMA_REGISTRY_URL": f"http://{HOST}:{settings.registry_port}/apis/ccompat/v7",
        "CLICKHOUSE_URL": f"{settings.scheme}://{HOST}:{settings.clickhouse_port}",
        "CLICKHOUSE_SERVER_PORT": settings.clickhouse_port,
        "S3_ENDPOINT": f"{settings.scheme}://{HOST}:{settings.s3_port}",
        "SPARK_CONNECT_URL": f"sc://{HOST}:{settings.spark_port}",
        "SPARK_CONNECT_PORT": settings.spark_port,
        "SPARK_LOCAL_IP": HOST,
        "SPARK_DRIVER_MEMORY": f"{settings.spark_heap_mb}m",
        "SPARK_JARS_DIR": jar_dir("s3a"),
        "REPORT_API_URL": f"{settings.scheme}://{HOST}:{settings.report_api_port}",
        "REPORT_API_PORT": settings.report_api_port,
        "REPORT_API_DATABASE_URL": database,
        "SINK_HEALTH_PORT": settings.sink_port,
        "CONNECT_URL": f"http://{HOST}:{settings.connect_port}",
        "CONNECT_PORT": settings.connect_port,
        "DASHBOARD_PORT": settings.dashboard_port,
        "DASHBOARD_SINK_HEALTH_URL": f"http://{HOST}:{settings.sink_port}",
        "DASHBOARD_AIRFLOW_URL": f"http://{HOST}:{settings.airflow_port}",
    }
