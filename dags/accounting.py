"""### Every event accounted for.

`account`, every five minutes: for the minutes of the last hours whose report is settled, each message in Kafka has to
be in the report, a copy of one that is, late, or dead-lettered. It reads Kafka, ClickHouse, the reports and their
files, as `clickpulse reconcile` does, and keeps the outcome in the report API, from where the page shows it.

**A run failed** because minutes don't add up: `clickpulse reconcile FROM TO` names partitions and offsets. They are
looked at again by the next run, so a failure that was mended goes away by itself.
"""

# Airflow's decorators are untyped to mypy, which does not follow into Airflow.
# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, dag, task

from clickpulse.airflow.dag_settings import report_settings
from clickpulse.airflow.report_tasks import RETRIES

SETTINGS = report_settings()


@dag(
    schedule=CronTriggerTimetable("*/5 * * * * 35", timezone="UTC"),  # the last field is seconds
    start_date=SETTINGS.start,
    catchup=False,
    max_active_runs=1,
    default_args=RETRIES | {"retries": 2},
    is_paused_upon_creation=False,
    tags=["clickpulse", "accounting"],
    doc_md=__doc__,
)
def accounting() -> None:
    @task(execution_timeout=timedelta(minutes=4))
    def account() -> dict[str, Any]:
        """Account for the minutes that are due."""
        from airflow.sdk.exceptions import AirflowFailException

        from clickpulse.accounting.step import account_recent

        found = account_recent(2 * SETTINGS.horizon_minutes)
        if found["problems"]:
            named = "; ".join(f"{one['window']}: {', '.join(one['kinds'])}" for one in found["problems"][:10])
            raise AirflowFailException(f"{len(found['problems'])} minutes don't add up: {named}")
        return found

    account()


accounting()
