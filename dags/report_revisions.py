"""### Reports repaired and revised.

`plan` → `export` → `detect` → `publish`, and `note_late`, twice a minute, away from the seconds after a minute's end in
which its report is made. It holds nothing up: minutes are made in one query and one Spark job, oldest first.

| minute | gets |
|---|---|
| without a report, after an outage or a failed run | its first revision |
| whose report was incomplete, once its events are there | a further revision |
| with events that came late, at most the horizon (REPORT_HORIZON_MINUTES) after it | a further revision, which says \
how many and what changed |

Older revisions stay. Events later than the horizon are kept and counted in ClickHouse's `late_ledger`.

**Nothing to do** is the usual case: then `plan` is followed by skipped tasks.

**A run failed.** The next one looks again; nothing is lost by it.
"""

# Airflow's decorators are untyped to mypy, which does not follow into Airflow.
# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, dag, task

from clickpulse.airflow.dag_settings import report_settings
from clickpulse.airflow.report_tasks import RETRIES, make_reports

SETTINGS = report_settings()


@dag(
    schedule=CronTriggerTimetable("* * * * * 20,50", timezone="UTC"),  # the last field is seconds
    start_date=SETTINGS.start,
    catchup=False,
    max_active_runs=1,
    default_args=RETRIES | {"retries": 1},
    is_paused_upon_creation=False,
    tags=["clickpulse", "report"],
    doc_md=__doc__,
)
def report_revisions() -> None:
    @task(execution_timeout=timedelta(seconds=90))
    def plan() -> dict[str, Any]:
        """Find the minutes that need a revision, and fix where it is cut off."""
        from clickpulse.airflow.revision_steps import plan_repairs

        return plan_repairs()

    @task(execution_timeout=timedelta(seconds=120), trigger_rule="none_failed")
    def note_late(planned: dict[str, Any]) -> str:
        """Keep the events that are too late for any report."""
        from clickpulse.airflow.revision_steps import note_late

        return note_late(planned["scanned_to"])

    planned = plan()
    make_reports(planned) >> note_late(planned)


report_revisions()
