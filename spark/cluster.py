"""Spark's servers in the foreground, for containers, the local profile and tests.

    python -m spark.cluster master     # standalone master: SPARK_MASTER_HOST, SPARK_MASTER_PORT
    python -m spark.cluster worker     # worker of the master at SPARK_MASTER: SPARK_WORKER_CORES, SPARK_WORKER_MEMORY
    python -m spark.cluster connect    # Connect server whose jobs run on SPARK_MASTER, listens at SPARK_CONNECT_PORT
    python -m spark.cluster history    # web page over the event logs in SPARK_EVENT_LOG_DIR

Settings: `env/spark.env`, `spark.creds`; the Connect server needs `s3.creds` as well. Each becomes the JVM, so that
signals reach it. `python -m spark.health ROLE` says whether it works.
"""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from typing import Annotated

import typer

from clickpulse.errors import ClickpulseError, ConfigurationError
from clickpulse.settings import S3Settings, SparkSettings
from spark import jvm
from spark.properties import (
    connect_properties,
    daemon_properties,
    java_options,
    job_properties,
    write_properties,
)
from spark.settings import SparkClusterSettings, SparkSecrets

_CONNECT_SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"


class Role(StrEnum):
    """A server of the cluster."""

    MASTER = "master"
    WORKER = "worker"
    CONNECT = "connect"
    HISTORY = "history"


def command(role: Role, settings: SparkSettings, cluster: SparkClusterSettings) -> list[str]:
    """The JVM of a role; writes its properties file first.

    Raises:
        ConfigurationError: a worker without a standalone master, or a setting that is missing.
    """
    secrets = SparkSecrets.load()
    if role is Role.CONNECT:
        properties = job_properties(settings, S3Settings.load(), secrets) | connect_properties(cluster)
    else:
        properties = daemon_properties(settings, cluster, secrets)
    file = str(write_properties(cluster.run_dir / f"{role}.properties", properties))
    match role:
        case Role.MASTER:
            listens = ["--host", cluster.master_host, "--port", str(cluster.master_port)]
            page = ["--webui-port", str(cluster.master_webui_port)]
            return _daemon(settings, cluster, "master.Master", [*listens, *page, "--properties-file", file])
        case Role.WORKER:
            return _daemon(settings, cluster, "worker.Worker", [*_worker(settings, cluster), "--properties-file", file])
        case Role.HISTORY:
            return _daemon(settings, cluster, "history.HistoryServer", ["--properties-file", file])
        case Role.CONNECT:
            options = java_options(S3Settings.load(), str(cluster.run_dir))
            server = ["--properties-file", file, "--class", _CONNECT_SERVER, "spark-internal"]
            return jvm.submit_command(settings, settings.driver_memory, server, more=options)


def _worker(settings: SparkSettings, cluster: SparkClusterSettings) -> list[str]:
    if not settings.master.startswith("spark://"):
        raise ConfigurationError(f"SPARK_MASTER is {settings.master!r}: a worker needs spark://HOST:PORT of its master")
    listens = ["--port", str(cluster.worker_port), "--webui-port", str(cluster.worker_webui_port)]
    lends = ["--cores", str(cluster.worker_cores), "--memory", cluster.worker_memory]
    return [*listens, *lends, "--work-dir", str(cluster.run_dir / "work"), settings.master]


def _daemon(settings: SparkSettings, cluster: SparkClusterSettings, name: str, arguments: list[str]) -> list[str]:
    return jvm.command(settings, cluster.daemon_memory, f"org.apache.spark.deploy.{name}", arguments)


def main(role: Annotated[Role, typer.Argument(help="which server to run")]) -> None:
    """Become one of Spark's servers."""
    settings, cluster = SparkSettings.load(), SparkClusterSettings.load()
    arguments = command(role, settings, cluster)
    variables = {**os.environ, **jvm.environment(settings, cluster.run_dir)}
    sys.stdout.flush()
    os.execve(arguments[0], arguments, variables)  # noqa: S606 - no shell wanted


if __name__ == "__main__":
    try:
        typer.run(main)
    except ClickpulseError as error:
        typer.secho(f"error: {error}", fg=typer.colors.RED, err=True)
        sys.exit(1)
