"""The tasks that all report DAGs share: from revisions that are planned to reports that can be read."""

# Airflow's decorators are untyped to mypy, which does not follow into Airflow.
# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule, task

from clickpulse.airflow.dag_settings import submits_to_spark

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

SUBMIT_LIMIT = timedelta(minutes=5)
"""A cluster may have to wait for free cores; a killed `spark-submit` leaves nothing behind."""


def make_reports(planned: Any, *, limit: timedelta = timedelta(seconds=90)) -> Any:
    """The tasks `export`, `detect`, `publish` after the one that planned the revisions; the last of them.

    They are skipped where nothing is planned.

    Args:
        planned: the result of the task before, a batch (`clickpulse.airflow.steps`).
        limit: for the export and for the detection.
    """

    @task(execution_timeout=limit)
    def export(planned: dict[str, Any]) -> dict[str, Any]:
        """Let ClickHouse write the minutes' events and baselines to S3."""
        from airflow.sdk.exceptions import AirflowSkipException

        from clickpulse.airflow.steps import export

        if not planned["revisions"]:
            raise AirflowSkipException("nothing to report")
        return export(planned)

    @task(execution_timeout=limit)
    def detect(exported: dict[str, Any]) -> dict[str, Any]:
        """Make the reports with Spark."""
        from clickpulse.airflow.steps import detect

        return detect(exported)

    @task(execution_timeout=timedelta(seconds=30))
    def publish(detected: dict[str, Any]) -> dict[str, int]:
        """Post the reports to the report API."""
        from clickpulse.airflow.steps import publish

        return publish(detected)

    def submit(exported: Any) -> Any:
        """`detect` in a JVM of its own on the cluster."""
        from clickpulse.airflow.submit_operator import SubmitReportJob

        return SubmitReportJob(task_id="detect", exported=exported, execution_timeout=SUBMIT_LIMIT).output

    exported = export(planned)
    return publish(submit(exported) if submits_to_spark() else detect(exported))
