"""### Ranges of minutes, reported again.

`plan` → `export` → `detect` → `publish`, an hour of minutes in each run, in one query and one Spark job.

**Use** `clickpulse backfill FROM TO`, or *Trigger → Backfill* here. Of the minutes between the parameters `from` and
`to`, those without a report get one, those that are incomplete or have late events, however late, get a further
revision, and all others are scored anew: where that gives another result, as after a change of the rule, there is a
further revision with the `reason`. Repeating it changes nothing.

By itself it runs once an hour and looks at the hour before: minutes whose report is missing or incomplete are repaired.
"""

# Airflow's decorators are untyped to mypy, which does not follow into Airflow.
# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import CronDataIntervalTimetable, Param, dag, task

from clickpulse.airflow.dag_settings import report_settings
from clickpulse.airflow.report_tasks import RETRIES, make_reports

report_settings()  # an installation that lacks its settings says so here

_MINUTE = {"type": ["null", "string"], "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\dZ$"}


@dag(
    schedule=CronDataIntervalTimetable("0 * * * *", timezone="UTC"),
    start_date=datetime(2000, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=2,
    default_args=RETRIES,
    is_paused_upon_creation=False,
    tags=["clickpulse", "report"],
    doc_md=__doc__,
    params={
        "from": Param(None, title="From", description="First minute, UTC, such as 2026-11-22T10:05Z.", **_MINUTE),
        "to": Param(None, title="To", description="The minute after the last.", **_MINUTE),
        "reason": Param(None, type=["null", "string"], maxLength=200, title="Reason", description="Of new revisions."),
    },
)
def backfill_reports() -> None:
    @task(execution_timeout=timedelta(minutes=3))
    def plan(
        params: dict[str, Any], data_interval_start: datetime | None = None, data_interval_end: datetime | None = None
    ) -> dict[str, Any]:
        """Find the revisions that the run's minutes need."""
        from clickpulse.airflow.revision_steps import plan_backfill

        return plan_backfill(data_interval_start, data_interval_end, params)

    make_reports(plan(), limit=timedelta(minutes=10))


backfill_reports()
