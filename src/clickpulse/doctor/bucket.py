"""S3: the objects of minutes and reports, of each minute's newest revision and of older ones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from clickpulse.doctor.model import Finding, Holding, Part, days
from clickpulse.retention.expire import ObjectStore
from clickpulse.retention.plan import StoredObject, by_window
from clickpulse.retention.settings import RetentionSettings

TITLE = "S3"
_DAY = timedelta(days=1)


class _Group:
    """Sums of many objects, which are not kept."""

    def __init__(self) -> None:
        self.count = self.bytes = 0
        self.oldest: datetime | None = None
        self.newest: datetime | None = None

    def add(self, objects: Sequence[StoredObject]) -> None:
        for one in objects:
            self.count += 1
            self.bytes += one.bytes
            self.oldest = min(self.oldest or one.modified, one.modified)
            self.newest = max(self.newest or one.modified, one.modified)


def examine(
    store: ObjectStore, settings: RetentionSettings, now: datetime, *, local: bool, overdue_days: float
) -> Part:
    """All objects, a day at a time.

    Args:
        store: the bucket.
        settings: how long things are kept.
        now: aware.
        local: the objects are on this machine's disk.
        overdue_days: how long after its time something may still be there.

    Raises:
        TransientError: S3 does not answer.
        ConfigurationError: it refuses.
    """
    groups = {(kind, old): _Group() for kind in ("minutes", "reports") for old in (False, True)}
    last_day = 0
    for day in sorted({*store.dates("minutes"), *store.dates("reports")}):
        objects = [*store.objects("minutes", day), *store.objects("reports", day)]
        last_day += sum(one.bytes for one in objects if now - one.modified < _DAY)
        for files in by_window(objects):
            newest = max(files.revisions)
            for kind, revisions in (("minutes", files.minutes), ("reports", files.reports)):
                for revision, stored in revisions.items():
                    groups[kind, revision < newest].add(stored)
    kept = {"minutes": settings.minutes_retention_days, "reports": settings.reports_retention_days}
    holdings, findings = [], []
    for (kind, old), group in groups.items():
        limit = f"at most {days(kept[kind])}"
        if old:
            limit = f"{days(settings.old_revisions_retention_days)} after the next one, unless needed; {limit}"
        name = f"{kind}/ old revisions" if old else f"{kind}/ latest revisions"
        holdings.append(Holding(name, "objects", group.count, group.bytes, group.oldest, group.newest, limit))
        if group.oldest is not None and now - group.oldest > (kept[kind] + overdue_days) * _DAY and not old:
            findings.append(_overdue(kind, (now - group.oldest) / _DAY, kept[kind]))
    return Part("s3", TITLE, holdings, findings, last_day if local else 0)


def _overdue(kind: str, age: float, kept: int) -> Finding:
    return Finding(
        f"{kind}/ has objects of {days(round(age))}, and {days(kept)} are kept",
        "see why the DAG `retention` does not run or fails, in Airflow",
    )
