"""Airflow's LocalExecutor with the imports of the tasks done before it forks.

Airflow runs each task in a fork of an executor's worker, and the worker is a fork of the scheduler.
What the scheduler has imported when the executor starts, every task finds in its memory; all else is
imported again for each task, every minute: pandas and PySpark's client take 1.3 s, the part of Airflow
that runs tasks 0.1 s. The pages are shared, so it costs memory once.

Set `AIRFLOW__CORE__EXECUTOR=clickpulse.airflow.warm_executor.WarmLocalExecutor`. Only imports happen
here: no connection and no thread may exist before a fork.
"""

from __future__ import annotations

import importlib
import time

import structlog
from airflow.executors.local_executor import LocalExecutor

TASK_RUNTIME = (
    "airflow.dag_processing.bundles.local",
    "airflow.dag_processing.dagbag",
    "airflow.providers.standard.decorators.python",
    "airflow.sdk.definitions.decorators",
    "airflow.sdk.execution_time.supervisor",
    "airflow.sdk.execution_time.task_runner",
)
"""What Airflow itself imports in a worker before, and in each task's process after the fork."""

TASKS = (
    "clickhouse_connect.driver.httpclient",
    "confluent_kafka.admin",
    "httpx",
    "minio",
    "pandas",
    "pyarrow",
    "pyspark.sql.connect.dataframe",
    "pyspark.sql.connect.functions",
    "pyspark.sql.connect.session",
    "grpc._channel",
    "clickhouse.export",
    "clickhouse.manifest",
    "clickpulse.airflow.steps",
    "clickpulse.completeness",
    "clickpulse.publish",
    "spark.report_job",
)
"""What the tasks of `dags/` import inside their functions."""

log = structlog.get_logger(__name__)


class WarmLocalExecutor(LocalExecutor):  # type: ignore[misc]  # mypy does not follow into Airflow
    """LocalExecutor whose workers have `TASK_RUNTIME` and `TASKS` in memory."""

    def start(self) -> None:
        """Import, then fork the workers."""
        began = time.monotonic()
        for module in TASK_RUNTIME + TASKS:
            importlib.import_module(module)
        log.info(
            "imported for the tasks", modules=len(TASK_RUNTIME + TASKS), seconds=round(time.monotonic() - began, 2)
        )
        super().start()
