r"""The report job as `spark-submit` runs it, in a JVM of its own; the same code as through Spark Connect.

    spark-submit --properties-file FILE spark/submit.py --revisions '[{"window": "2026-11-22T10:05Z", "number": 0}]'

Reads the objects of the minutes in the bucket, and why they count as complete from their manifests; writes their
`report.json`. `spark/submission.py` makes the properties and the environment.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from clickpulse.errors import ClickpulseError, ConfigurationError
from clickpulse.revisions import Revision, from_json
from clickpulse.settings import S3Settings
from spark.revisions_job import make_reports
from spark.session import submitted_session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def submitted_job(revisions: list[Revision]) -> list[str]:
    """Make the reports on the Spark that started this process; keys of those that were written.

    Raises:
        ConfigurationError: an object is missing.
        TransientError: S3 doesn't answer.
    """
    sessions: list[SparkSession] = []

    def session() -> SparkSession:
        sessions.append(submitted_session(None))
        return sessions[0]

    try:
        return make_reports(S3Settings.load(), revisions, session)
    finally:
        for one in sessions:
            one.stop()


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)  # its output is lines of a task's log


@app.command()
def main(revisions: Annotated[str, typer.Option(help="JSON: an array of window, number, scored_from, reason")]) -> None:
    """Make the reports of revisions whose events are in S3."""
    try:
        wanted = from_json(json.loads(revisions))
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"--revisions {revisions[:200]!r} is no array of revisions: {error}") from error
    for key in submitted_job(wanted):
        typer.echo(f"written: {key}")


if __name__ == "__main__":
    try:
        app()
    except ClickpulseError as error:
        typer.secho(f"error: {type(error).__name__}: {error}", fg=typer.colors.RED, err=True)
        sys.exit(1)
