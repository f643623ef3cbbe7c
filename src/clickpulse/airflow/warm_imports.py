"""What the tasks of `dags/` import: to be in memory before an executor's workers fork.

Airflow runs each task in a fork of an executor's worker. What was imported before, every task finds in its memory; all
else is imported again for each task, every minute: pandas and PySpark's client take 1.3 s, the part of Airflow that
runs tasks 0.1 s. The pages are shared, so it costs memory once. Only imports: no connection and no thread may exist
before a fork.
"""

from __future__ import annotations

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
    "pyarrow.parquet",
    "pyspark.sql.connect.dataframe",
    "pyspark.sql.connect.functions",
    "pyspark.sql.connect.session",
    "grpc._channel",
    "clickhouse.export",
    "clickhouse.late",
    "clickhouse.manifest",
    "clickpulse.airflow.revision_steps",
    "clickpulse.airflow.steps",
    "clickpulse.completeness",
    "clickpulse.publish",
    "clickpulse.stored_reports",
    "spark.revisions_job",
)
"""What the tasks import inside their functions."""
