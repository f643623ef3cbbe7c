r"""The report job as `spark-submit` runs it, in a JVM of its own; the same code as through Spark Connect.

    spark-submit --properties-file FILE spark/submit.py \
        --window 2026-11-22T10:05Z --revision 0 --manifest minutes/…/rev=0/manifest.json

Reads the minute's objects in the bucket, and why it counts as complete from its manifest; writes its `report.json`.
`spark/submission.py` makes the properties and the environment.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from clickpulse.errors import ClickpulseError, ConfigurationError
from clickpulse.objects import WindowObjects
from clickpulse.reports import Report
from clickpulse.settings import S3Settings
from clickpulse.windows import MinuteWindow
from spark.report_job import JobInputs, run_report_job
from spark.session import submitted_session
from spark.storage import read_bytes


def submitted_job(window: str, revision: int, manifest: str) -> Report:
    """Make one minute's report on the Spark that started this process.

    Args:
        window: the minute's start, such as `2026-11-22T10:05Z`.
        revision: of the window.
        manifest: key of the revision's manifest in the bucket.

    Raises:
        ConfigurationError: an object is missing, or the manifest is another revision's.
        TransientError: S3 doesn't answer.
    """
    from clickhouse.manifest import Manifest

    objects = WindowObjects(MinuteWindow.parse(window), revision)
    bucket = S3Settings.load().bucket
    found = Manifest.model_validate_json(read_bytes(f"s3a://{bucket}/{manifest}"))
    if (found.window, found.revision) != (str(objects.window), revision):
        raise ConfigurationError(
            f"{manifest} is of {found.window}, revision {found.revision}, not of {window}, revision {revision}"
        )
    spark = submitted_session(None)
    try:
        return run_report_job(spark, objects, JobInputs.in_bucket(objects, bucket), found.completeness)
    finally:
        spark.stop()


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)  # its output is lines of a task's log


@app.command()
def main(
    window: Annotated[str, typer.Option(help="the minute's start, such as 2026-11-22T10:05Z")],
    manifest: Annotated[str, typer.Option(help="key of the revision's manifest in the bucket")],
    revision: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Make one minute's report."""
    report = submitted_job(window, revision, manifest)
    typer.echo(f"{window}: {report.totals.events} events, {len(report.anomalies)} anomalies")


if __name__ == "__main__":
    try:
        app()
    except ClickpulseError as error:
        typer.secho(f"error: {type(error).__name__}: {error}", fg=typer.colors.RED, err=True)
        sys.exit(1)
