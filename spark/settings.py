"""Settings of the Spark cluster's own processes: a standalone master, its workers, the Connect and history servers.

Where Spark has a variable of its own for something, it has the same name and meaning here.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from clickpulse.settings import SPARK_MEMORY, ServiceSettings, home_dir


class SparkClusterSettings(ServiceSettings):
    """Addresses and sizes of the cluster's processes; what a job needs is in `SparkSettings`."""

    service = "spark"
    model_config = SettingsConfigDict(env_prefix="SPARK_", extra="ignore", frozen=True)

    master_host: str = Field("127.0.0.1", description="where the master listens; workers have to use the same name")
    master_port: int = 7077
    master_webui_port: int = 8080
    worker_port: int = 7078
    worker_webui_port: int = 8081
    worker_cores: int = Field(2, ge=1, description="what the worker lends to executors")
    worker_memory: str = Field("2g", pattern=SPARK_MEMORY, description="likewise")
    daemon_memory: str = Field("512m", pattern=SPARK_MEMORY, description="heap of the master, of a worker, of history")
    connect_host: str = Field("127.0.0.1", description="where the Connect server listens")
    connect_port: int = 15002
    history_port: int = 18080
    run_dir: Path = Field(
        default_factory=lambda: home_dir() / "data" / "spark", description="properties, scratch, executors' folders"
    )
    event_log_keep_days: int = Field(7, ge=1, description="the history server deletes older event logs")


class SparkSecrets(ServiceSettings):
    """What the cluster's processes and the jobs know each other by."""

    service = "spark"
    model_config = SettingsConfigDict(env_prefix="SPARK_", extra="ignore", frozen=True)

    authenticate_secret: SecretStr | None = Field(
        None, description="the same for master, workers and jobs; without it whoever reaches the master can use it"
    )
