"""### One report a minute.

`await_minute` → `export` → `detect` → `publish`, for the minute of the run's data interval (UTC).

| task | does | result |
|---|---|---|
| `await_minute` | waits, at most for the time limit, until the sink has stored the whole minute | Kafka offsets |
| `export` | fixes the revision's cutoff in `manifest.json`; ClickHouse writes the minute's Parquet to S3 | keys |
| `detect` | Spark counts and compares with the recent past, and writes `report.json`: on the Spark Connect server, \
or by `spark-submit` where SPARK_MODE is `submit` | key |
| `publish` | posts the report to the report API | what the API said |

**A run failed.** Open the failed task's log: its last error names the service or the setting. Transient errors were
retried for some minutes; clear the task when the service is back. Clearing gives the same report again, byte for
byte, as the cutoff is fixed in S3.

**A minute by hand.** Trigger with `window`, such as `2026-11-22T10:05Z`; without it the run reports the last full
minute.

A minute that was not complete in time is published with `complete: false` and the reason.
"""

# Airflow's decorators are untyped to mypy, which does not follow into Airflow.
# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import (
    CronDataIntervalTimetable,
    ExceptionRetryPolicy,
    Param,
    RetryAction,
    RetryRule,
    dag,
    task,
)

from clickpulse.airflow.dag_settings import report_settings, submits_to_spark

SETTINGS = report_settings()

RETRIES = {
    "retries": 10,
    "retry_delay": timedelta(seconds=2),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=1),
    "retry_policy": ExceptionRetryPolicy(
        rules=[
            RetryRule(
                exception="clickpulse.errors.ConfigurationError",
                action=RetryAction.FAIL,
                reason="a setting or an input has to be changed; a retry can't help",
            )
        ]
    ),
}
"""About six minutes: long enough for a killed service to come back by itself."""

AWAIT_LIMIT = timedelta(seconds=SETTINGS.completeness_timeout_seconds + 120)
SUBMIT_LIMIT = timedelta(minutes=5)
"""A cluster may have to wait for free cores; a killed `spark-submit` leaves nothing behind."""


@dag(
    schedule=CronDataIntervalTimetable("* * * * *", timezone="UTC"),
    start_date=SETTINGS.start,
    catchup=True,
    max_active_runs=SETTINGS.max_active_runs,
    default_args=RETRIES,
    is_paused_upon_creation=False,
    tags=["clickpulse", "report"],
    doc_md=__doc__,
    params={
        "window": Param(
            None,
            type=["null", "string"],
            pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\dZ$",
            title="Minute",
            description="Start of the minute to report, UTC, such as 2026-11-22T10:05Z; empty: the run's own minute.",
        )
    },
)
def minutely_report() -> None:
    @task(execution_timeout=AWAIT_LIMIT)
    def await_minute(params: dict[str, Any], data_interval_start: datetime | None = None) -> dict[str, Any]:
        """Wait until the minute is complete in ClickHouse."""
        from clickpulse.airflow.steps import await_minute

        return await_minute(params["window"], data_interval_start)

    @task(execution_timeout=timedelta(seconds=90))
    def export(awaited: dict[str, Any]) -> dict[str, Any]:
        """Let ClickHouse write the minute's events and its baseline to S3."""
        from clickpulse.airflow.steps import export

        return export(awaited)

    @task(execution_timeout=timedelta(seconds=90))
    def detect(exported: dict[str, Any]) -> dict[str, Any]:
        """Make the report with Spark."""
        from clickpulse.airflow.steps import detect

        return detect(exported)

    @task(execution_timeout=timedelta(seconds=30))
    def publish(detected: dict[str, Any]) -> str:
        """Post the report to the report API."""
        from clickpulse.airflow.steps import publish

        return publish(detected)

    def submit(exported: Any) -> Any:
        """`detect` in a JVM of its own on the cluster."""
        from clickpulse.airflow.submit_operator import SubmitReportJob

        return SubmitReportJob(task_id="detect", exported=exported, execution_timeout=SUBMIT_LIMIT).output

    exported = export(await_minute())
    publish(submit(exported) if submits_to_spark() else detect(exported))


minutely_report()
