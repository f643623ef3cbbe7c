"""### One report a minute.

`await_minute` → `export` → `detect` → `publish`, for the minute of the run's data interval (UTC).

| task | does | result |
|---|---|---|
| `await_minute` | waits, at most for the time limit, until the sink has stored the whole minute, and fixes the Kafka \
offsets at which the report is cut off in `manifest.json` | the revision |
| `export` | ClickHouse writes the minute's Parquet to S3 | the revision |
| `detect` | Spark counts and compares with the recent past, and writes `report.json`: on the Spark Connect server, \
or by `spark-submit` where SPARK_MODE is `submit` | the revision |
| `publish` | posts the report to the report API | what the API said |

**A run failed.** Open the failed task's log: its last error names the service or the setting. Transient errors were
retried for some minutes; clear the task when the service is back. Clearing gives the same report again, byte for
byte, as the cutoff is fixed in S3.

**A minute by hand.** Trigger with `window`, such as `2026-11-22T10:05Z`; without it the run reports the last full
minute.

A minute that was not complete in time is published with `complete: false` and the reason; `report_revisions` follows
with a complete one, fills minutes that were missed, and takes up events that come late.
"""

# Airflow's decorators are untyped to mypy, which does not follow into Airflow.
# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import CronDataIntervalTimetable, Param, dag, task

from clickpulse.airflow.dag_settings import report_settings
from clickpulse.airflow.report_tasks import RETRIES, make_reports

SETTINGS = report_settings()
AWAIT_LIMIT = timedelta(seconds=SETTINGS.completeness_timeout_seconds + 120)


@dag(
    schedule=CronDataIntervalTimetable("* * * * *", timezone="UTC"),
    start_date=SETTINGS.start,
    # After an outage the newest minute is reported at once; the others are filled, many at a time, by report_revisions.
    catchup=False,
    max_active_runs=SETTINGS.max_active_runs,
    default_args=RETRIES | {"priority_weight": 100, "weight_rule": "absolute"},
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
        """Wait until the minute is complete in ClickHouse, and fix where its report is cut off."""
        from clickpulse.airflow.steps import await_minute

        return await_minute(params["window"], data_interval_start)

    make_reports(await_minute())


minutely_report()
