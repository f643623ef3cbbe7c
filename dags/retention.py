"""### What is kept no longer is deleted, once a day.

| what | kept | setting |
|---|---|---|
| events, baseline and manifest of a minute, in S3 | 30 days | REPORT_MINUTES_RETENTION_DAYS |
| objects of a revision after a later one took its place, in S3 | 7 days | REPORT_OLD_REVISIONS_RETENTION_DAYS |
| reports, in S3 and in the report API | 400 days | REPORT_REPORTS_RETENTION_DAYS |
| Airflow's logs of tasks | 14 days | REPORT_AIRFLOW_LOGS_RETENTION_DAYS |

What a report still needs stays, however old it is: see `clickpulse.retention.plan`. The report API deletes by its own
setting and is only told that it is time, so this DAG needs no right to choose what is deleted there.

**A run failed.** Its last error names the service or the setting. What was deleted stays deleted; the next run, or this
one cleared, goes on. `clickpulse doctor` shows what is kept and how large it is.
"""

# Airflow's decorators are untyped to mypy, which does not follow into Airflow.
# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule, dag, task

from clickpulse.airflow.dag_settings import report_settings

RETRIES = {
    "retries": 5,
    "retry_delay": timedelta(minutes=1),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=30),
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
"""About half an hour: nothing waits for it, and there is tomorrow's run."""


@dag(
    schedule="@daily",
    start_date=report_settings().start,
    catchup=False,
    max_active_runs=1,
    default_args=RETRIES,
    is_paused_upon_creation=False,
    tags=["clickpulse", "retention"],
    doc_md=__doc__,
)
def retention() -> None:
    @task(execution_timeout=timedelta(hours=2))
    def expire() -> dict[str, Any]:
        """Delete what the settings keep no longer; how much it was."""
        from pathlib import Path

        from airflow.configuration import conf

        from clickpulse.retention.step import expire_everything

        return expire_everything(Path(conf.get("logging", "base_log_folder")))

    expire()


retention()
