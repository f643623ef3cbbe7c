"""Spark's properties, from settings; in files that only their owner reads, never in a process list."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from clickpulse.settings import S3Settings, SparkSettings
from clickpulse.tls import java_trust_options
from spark.settings import SparkClusterSettings, SparkSecrets


def job_properties(settings: SparkSettings, s3: S3Settings, secrets: SparkSecrets) -> dict[str, object]:
    """What every application that runs the report job has: on the Connect server, or submitted."""
    properties: dict[str, object] = {
        "spark.master": settings.master,
        "spark.executor.memory": settings.executor_memory,
        "spark.executor.cores": settings.executor_cores,
        # A standalone master gives an application all cores it has, unless it is told how many.
        "spark.cores.max": settings.executor_cores * settings.executor_instances,
        "spark.driver.memory": settings.driver_memory,
        "spark.ui.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        # Small data: 200 shuffle partitions, the default, take seconds to schedule.
        "spark.sql.shuffle.partitions": settings.shuffle_partitions,
        # The Connect server's sessions load classes of generated code from the driver, even where that is the same
        # process. Under load such a request has hung until this limit, 120 s by default; the task is then retried.
        "spark.files.io.connectionTimeout": "15s",
        # In its working folder, which is deleted some time after the job.
        "spark.executor.extraJavaOptions": shlex.join(java_options(s3, ".")),
        **s3_properties(s3),
        **event_log(settings),
        **authentication(secrets),
    }
    if settings.local_ip:
        properties |= {"spark.driver.host": settings.local_ip, "spark.driver.bindAddress": settings.local_ip}
    return properties


def connect_properties(cluster: SparkClusterSettings) -> dict[str, object]:
    """What the Connect server has besides."""
    return {
        "spark.app.name": "clickpulse",
        "spark.local.dir": cluster.run_dir,
        "spark.sql.warehouse.dir": cluster.run_dir / "warehouse",
        "spark.connect.grpc.binding.address": cluster.connect_host,
        "spark.connect.grpc.binding.port": cluster.connect_port,
        # Longer than the hour that jobs share a session.
        "spark.connect.session.manager.defaultSessionTimeout": "65m",
    }


def daemon_properties(
    settings: SparkSettings, cluster: SparkClusterSettings, secrets: SparkSecrets
) -> dict[str, object]:
    """Of a master, a worker or a history server."""
    return {
        "spark.local.dir": cluster.run_dir,
        "spark.ui.killEnabled": "false",
        "spark.master.rest.enabled": "false",  # another door to the cluster, which knows no secret
        # Submitted jobs leave a folder each.
        "spark.worker.cleanup.enabled": "true",
        "spark.worker.cleanup.interval": 600,
        "spark.worker.cleanup.appDataTtl": 3600,
        "spark.history.fs.logDirectory": _event_log_url(settings),
        "spark.history.ui.port": cluster.history_port,
        "spark.history.fs.cleaner.enabled": "true",
        "spark.history.fs.cleaner.maxAge": f"{cluster.event_log_keep_days}d",
        **authentication(secrets),
    }


def s3_properties(s3: S3Settings) -> dict[str, object]:
    """How S3A reaches the bucket."""
    return {
        "spark.hadoop.fs.s3a.endpoint": str(s3.endpoint).rstrip("/"),
        "spark.hadoop.fs.s3a.endpoint.region": s3.region,
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.connection.ssl.enabled": str(s3.endpoint.scheme == "https").lower(),
        "spark.hadoop.fs.s3a.access.key": s3.access_key,
        "spark.hadoop.fs.s3a.secret.key": s3.secret_key.get_secret_value(),
        "spark.hadoop.fs.s3a.aws.credentials.provider": "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
    }


def java_options(s3: S3Settings, scratch: str) -> list[str]:
    """Options of a JVM that runs jobs: where native libraries are unpacked, as /tmp may forbid running what is there;
    and whom it trusts, where S3's certificate is of a private authority (the file is at the same path everywhere).
    """
    return [f"-Djava.io.tmpdir={scratch}", *java_trust_options(s3.ca_file)]


def event_log(settings: SparkSettings) -> dict[str, object]:
    """Spark's own record of what its jobs did, for the history server; a new file each 10 MB."""
    if not settings.event_log_enabled:
        return {"spark.eventLog.enabled": "false"}
    return {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": _event_log_url(settings),
        "spark.eventLog.rolling.enabled": "true",
        "spark.eventLog.rolling.maxFileSize": "10m",
        "spark.eventLog.compress": "true",
    }


def authentication(secrets: SparkSecrets) -> dict[str, object]:
    """Processes prove that they know the cluster's secret, and what they say to each other is encrypted."""
    if secrets.authenticate_secret is None:
        return {}
    return {
        "spark.authenticate": "true",
        "spark.authenticate.secret": secrets.authenticate_secret.get_secret_value(),
        "spark.network.crypto.enabled": "true",
    }


def write_properties(file: Path, properties: Mapping[str, object]) -> Path:
    """Write Spark's properties file in one step, readable by its owner alone; returns `file`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.writelines(f"{name}={_escaped(str(value))}\n" for name, value in properties.items())
    part.replace(file)
    return file


def _escaped(value: str) -> str:
    """A value as Java's properties files want it."""
    return value.replace("\\", "\\\\")


def _event_log_url(settings: SparkSettings) -> str:
    settings.event_log_dir.mkdir(parents=True, exist_ok=True)  # Spark does not make it
    return f"file://{settings.event_log_dir}"
