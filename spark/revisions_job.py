"""The reports of revisions whose events are in S3: read their manifests, score all of them at once, write the reports.

A further revision says what differs from the one before. One that scores the events of another revision anew is made
only if that gives another result: its manifest is then written, and by that its number is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from clickhouse.manifest import Manifest, fix_manifest, read_manifest
from clickpulse.errors import ConfigurationError
from clickpulse.objects import WindowObjects
from clickpulse.reports import Report
from clickpulse.revisions import Revision
from clickpulse.settings import S3Settings
from clickpulse.storage import Storage
from clickpulse.windows import MinuteWindow
from spark.report_job import JobInputs, ReportJob, build_reports, write_report

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_THREADS = 8


@dataclass(frozen=True)
class _Candidate:
    """A job, and the manifest that has yet to be written if the job gives another result."""

    job: ReportJob
    manifest: Manifest | None = None


def make_reports(s3: S3Settings, revisions: Sequence[Revision], session: Callable[[], SparkSession]) -> list[str]:
    """Make the reports of revisions, at most one of each minute.

    Args:
        s3: the bucket.
        revisions: their objects have been exported.
        session: called when Spark is needed.

    Returns:
        Keys of the reports that were written.

    Raises:
        ConfigurationError: an object is missing or isn't its minute's.
        TransientError: Spark or S3 doesn't answer.
    """
    bucket = _Bucket(s3)
    with ThreadPoolExecutor(_THREADS) as pool:
        candidates = list(pool.map(bucket.candidate, revisions))
        if not candidates:
            return []
        reports = build_reports(session(), bucket.storage, [candidate.job for candidate in candidates])
        written = pool.map(bucket.write, candidates, reports)
        return [key for key in written if key is not None]


class _Bucket:
    """What is in the bucket of the revisions, and what is to be."""

    def __init__(self, s3: S3Settings) -> None:
        self._s3 = s3
        self.storage = Storage(s3)

    def candidate(self, revision: Revision) -> _Candidate:
        if revision.scored_from is not None:
            return self._anew(revision.window, revision.number, revision.scored_from, revision.reason)
        manifest = read_manifest(self._s3, revision.objects)
        if manifest.scored_from is not None:
            candidate = self._anew(revision.window, revision.number, manifest.scored_from, manifest.revision_reason)
            return replace(candidate, manifest=None)
        return _Candidate(
            ReportJob(
                revision.objects,
                JobInputs.in_bucket(revision.objects, self._s3.bucket),
                manifest.completeness,
                manifest.revision_reason,
                self._before(revision.objects),
            )
        )

    def _anew(self, window: MinuteWindow, number: int, scored_from: int, reason: str | None) -> _Candidate:
        """Score what the report of the revision `scored_from` was made of."""
        source = self._report(WindowObjects(window, scored_from))
        objects = WindowObjects(window, number)
        bucket = f"s3a://{self._s3.bucket}"
        inputs = JobInputs(
            events=f"{bucket}/{source.inputs.events}",
            baseline=f"{bucket}/{source.inputs.baseline}",
            out=f"{bucket}/{objects.report}",
            names=(source.inputs.events, source.inputs.baseline),
        )
        manifest = Manifest(
            window=str(window),
            revision=number,
            revision_reason=reason,
            scored_from=scored_from,
            cutoff={part.partition: part.committed_offset for part in source.completeness.partitions},
            completeness=source.completeness,
        )
        return _Candidate(ReportJob(objects, inputs, source.completeness, reason, source), manifest)

    def write(self, candidate: _Candidate, report: Report) -> str | None:
        """Write the report, unless it says nothing new and need not be."""
        job, manifest = candidate.job, candidate.manifest
        if manifest is not None:
            if job.previous is not None and report.finding() == job.previous.finding():
                return None
            if fix_manifest(self._s3, manifest) != manifest:
                return None  # the number was taken meanwhile, by whoever makes that revision
        write_report(self.storage, job, report)
        return job.objects.report

    def _before(self, objects: WindowObjects) -> Report | None:
        """The revision before; None for the first, and where it was not kept."""
        if objects.revision == 0:
            return None
        before = WindowObjects(objects.window, objects.revision - 1)
        return self._report(before) if self.storage.exists(f"s3a://{self._s3.bucket}/{before.report}") else None

    def _report(self, objects: WindowObjects) -> Report:
        location = f"s3a://{self._s3.bucket}/{objects.report}"
        content = self.storage.read(location)
        try:
            return Report.model_validate_json(content)
        except ValueError as error:
            raise ConfigurationError(f"{location} is not a report: {error}") from error
