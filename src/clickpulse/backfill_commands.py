"""`clickpulse backfill`: reports of a range of minutes made again, through Airflow's own backfill."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from clickpulse.airflow.api import AirflowApi
    from clickpulse.windows import MinuteWindow

DAG = "backfill_reports"
AT_ONCE = 2
"""Hours. More of them share the same Spark and ClickHouse, and the newest minute waits for both."""
_LOOK_SECONDS = 1.0


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("backfill")(backfill)


def backfill(
    start: Annotated[str, typer.Argument(metavar="FROM", help="First minute, such as 2026-11-22T10:05Z.")],
    end: Annotated[str, typer.Argument(metavar="TO", help="The minute after the last.")],
    revision_reason: Annotated[
        str | None, typer.Option(help="Why minutes are scored anew; it stands in their new revisions.")
    ] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow the runs to their end.")] = True,
) -> None:
    """Report a range of minutes again: missing, incomplete and late ones, and where scoring gives another result."""
    first, after = _range(start, end)
    minutes = _say_what_there_is(first, after)
    if dry_run:
        return
    from clickpulse.airflow.api import airflow_api
    from clickpulse.settings import AirflowLoginSettings, DashboardSettings

    login = AirflowLoginSettings.load()
    url = DashboardSettings.load().airflow_url
    with airflow_api(url, login.user, login.admin_password.get_secret_value()) as api:
        hours = (_hour(first.start), _hour(after.start - timedelta(minutes=1)))
        conf = {"from": str(first), "to": str(after), "reason": revision_reason}
        number = api.backfill(DAG, *hours, conf, at_once=AT_ONCE)
        typer.echo(f"backfill {number} of {DAG}: {url}/dags/{DAG}/backfills")
        if wait:
            made = _follow(api, number, hours)
            typer.echo(f"{made} new reports or revisions, {minutes - made} minutes unchanged")


def _range(start: str, end: str) -> tuple[MinuteWindow, MinuteWindow]:
    from clickpulse.errors import ConfigurationError
    from clickpulse.windows import MinuteWindow

    first, after = MinuteWindow.parse(start), MinuteWindow.parse(end)
    if after <= first:
        raise ConfigurationError(f"TO {after} is not after FROM {first}: the range is FROM up to, and without, TO")
    if first.start > datetime.now(UTC):
        raise ConfigurationError(f"FROM {first} lies in the future")
    return first, after


def _say_what_there_is(first: MinuteWindow, after: MinuteWindow) -> int:
    """Print what reports the range has; returns its minutes."""
    from clickpulse.clients import report_reader
    from clickpulse.settings import ReportReaderSettings
    from clickpulse.stored_reports import report_summaries

    with report_reader(ReportReaderSettings.load()) as client:
        found = report_summaries(client, first.start, after.start)
    minutes = round((after.start - first.start).total_seconds() / 60)
    incomplete = sum(not one.complete for one in found)
    typer.echo(
        f"{first} to {after}: {minutes} minutes, {minutes - len(found)} without a report, {incomplete} incomplete, "
        f"{len(found) - incomplete} complete"
    )
    return minutes


def _follow(api: AirflowApi, number: int, hours: tuple[datetime, datetime]) -> int:
    """Show how the runs go on until their end; returns how many revisions were new.

    Raises:
        ClickpulseError: runs failed.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from clickpulse.errors import ClickpulseError

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    total = round((hours[1] - hours[0]).total_seconds() / 3600) + 1
    with Progress(*columns) as progress:
        bar = progress.add_task("hours", total=total)
        while not api.backfill_ended(number):
            progress.update(bar, completed=api.run_states(DAG, *hours).done)
            time.sleep(_LOOK_SECONDS)
        states = api.run_states(DAG, *hours)
        progress.update(bar, completed=states.done)
    if states.failed:
        named = ", ".join(states.failed[:5])
        raise ClickpulseError(f"{len(states.failed)} of {total} runs failed: {named}; their logs in Airflow say why")
    return api.published(DAG, *hours).get("created", 0)


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
