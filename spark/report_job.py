r"""The report job: reads the events and baselines of minutes, writes their `report.json`.

    python -m spark.report_job --window 2026-11-22T10:05Z                    # through Spark Connect
    spark-submit spark/report_job.py --window 2026-11-22T10:05Z --submitted  # a JVM of its own
    python -m spark.report_job --master 'local[1]' --window 2026-11-22T10:05Z \
        --events events.parquet --baseline baseline.parquet --out report.json

Spark does the counting; the few rows that come out of it, one per event type, are put together here
and written by this process with one S3 request. Spark's own writer would make a folder of part files
through a commit protocol, some fifteen requests and a job more, for four kilobytes.

Bytes depend on the inputs alone: neither a clock nor a random number goes into them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Self

import typer

from clickpulse.errors import ClickpulseError, ConfigurationError
from clickpulse.objects import WindowObjects
from clickpulse.reports import Completeness, Report
from clickpulse.settings import S3Settings, SparkSettings
from clickpulse.storage import Storage, spark_url
from clickpulse.windows import MinuteWindow
from spark.report import build_report
from spark.session import connect_session, submitted_session
from spark.summary import read_baseline, summarise

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_STORAGE_THREADS = 8
UNCHECKED = Completeness(complete=True, reason="not checked: the job was run on given files")


@dataclass(frozen=True)
class JobInputs:
    """Where the job reads and writes, as URLs or paths, and the inputs' names in the report."""

    events: str
    baseline: str
    out: str
    names: tuple[str, str]

    @classmethod
    def in_bucket(cls, objects: WindowObjects, bucket: str) -> Self:
        """The objects of one revision of a window, at their usual keys."""
        return cls(
            events=f"s3a://{bucket}/{objects.events}",
            baseline=f"s3a://{bucket}/{objects.baseline}",
            out=f"s3a://{bucket}/{objects.report}",
            names=(objects.events, objects.baseline),
        )


@dataclass(frozen=True)
class ReportJob:
    """One revision to make: `previous` is the revision before, where the report is to say what changed."""

    objects: WindowObjects
    inputs: JobInputs
    completeness: Completeness
    reason: str | None = None
    previous: Report | None = None


def run_report_job(
    spark: SparkSession, objects: WindowObjects, inputs: JobInputs, completeness: Completeness
) -> Report:
    """Make the first revision of one window's report, or one that says no reason, and write it.

    Raises:
        ConfigurationError: an input is missing or isn't this minute's.
        TransientError: Spark or the storage doesn't answer.
    """
    job = ReportJob(objects, inputs, completeness)
    storage = Storage()
    report = build_reports(spark, storage, [job])[0]
    write_report(storage, job, report)
    return report


def build_reports(spark: SparkSession, storage: Storage, jobs: Sequence[ReportJob]) -> list[Report]:
    """The reports of several minutes, at most one of each, with one Spark query; in the order of `jobs`.

    Raises: as `run_report_job`.
    """
    windows = [job.objects.window for job in jobs]
    summaries = summarise(spark, windows, [spark_url(job.inputs.events) for job in jobs])
    with ThreadPoolExecutor(_STORAGE_THREADS) as pool:
        baselines = list(pool.map(lambda job: read_baseline(storage, job.inputs.baseline), jobs))
    return [
        build_report(
            job.objects.window,
            summaries[job.objects.window],
            baseline,
            completeness=job.completeness,
            inputs=job.inputs.names,
            revision=job.objects.revision,
            revision_reason=job.reason,
            previous=job.previous,
        )
        for job, baseline in zip(jobs, baselines, strict=True)
    ]


def write_report(storage: Storage, job: ReportJob, report: Report) -> None:
    """Write the report's canonical bytes where the job says. Raises `TransientError`."""
    storage.write(job.inputs.out, report.canonical_json())


def main(  # noqa: PLR0917 - typer turns them into options
    window: Annotated[str, typer.Option(help="the minute's start, such as 2026-11-22T10:05Z")],
    revision: Annotated[int, typer.Option(min=0)] = 0,
    events: Annotated[
        str | None, typer.Option(help="events.parquet: path or URL [default: the window's object]")
    ] = None,
    baseline: Annotated[str | None, typer.Option(help="baseline.parquet, likewise")] = None,
    out: Annotated[str | None, typer.Option(help="where report.json goes, likewise")] = None,
    completeness: Annotated[str | None, typer.Option(help="JSON file with why the minute counts as complete")] = None,
    master: Annotated[str | None, typer.Option(help="run in a JVM of this process, such as 'local[1]'")] = None,
    submitted: Annotated[bool, typer.Option("--submitted", help="spark-submit started this process")] = False,
) -> None:
    """Make one minute's report."""
    objects = WindowObjects(MinuteWindow.parse(window), revision)
    inputs = _inputs(objects, events, baseline, out)
    known = Completeness.model_validate_json(Storage().read(completeness)) if completeness else UNCHECKED
    if master or submitted:
        spark = submitted_session(master)
    else:
        spark = connect_session(SparkSettings.load(), datetime.now(UTC))
    report = run_report_job(spark, objects, inputs, known)
    typer.echo(f"{objects.window}: {report.totals.events} events, {len(report.anomalies)} anomalies, {inputs.out}")


def _inputs(objects: WindowObjects, events: str | None, baseline: str | None, out: str | None) -> JobInputs:
    given = (events, baseline, out)
    if events and baseline and out:
        return JobInputs(events, baseline, out, names=(events, baseline))
    if any(given):
        raise ConfigurationError("give all of --events, --baseline and --out, or none for the window's objects")
    return JobInputs.in_bucket(objects, S3Settings.load().bucket)


if __name__ == "__main__":
    try:
        typer.run(main)
    except ClickpulseError as error:
        typer.secho(f"error: {error}", fg=typer.colors.RED, err=True)
        sys.exit(1)
