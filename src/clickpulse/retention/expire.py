"""Deletes what `plan` lets go: day by day, the oldest first, at most so many objects in one run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol

import structlog

from clickpulse.objects import WindowObjects
from clickpulse.retention.bucket import Kind
from clickpulse.retention.plan import Counting, Removal, Rules, StoredObject, WindowFiles, by_window, plan, to_read
from clickpulse.windows import MinuteWindow

DAY = timedelta(days=1)

CountingRevisions = Callable[[datetime, datetime], Mapping[MinuteWindow, Counting]]
"""The revision that counts for each minute in `[start, end)` that has a report; from the report API."""

log = structlog.get_logger()


class ObjectStore(Protocol):
    """What is asked of the bucket; see `bucket.Bucket`."""

    def dates(self, kind: Kind) -> list[date]: ...
    def objects(self, kind: Kind, day: date) -> list[StoredObject]: ...
    def inputs(self, key: str) -> frozenset[str] | None: ...
    def remove(self, keys: Sequence[str]) -> None: ...


@dataclass
class Expired:
    """What a run deleted, by reason; `more` says that the limit ended it and the next run goes on."""

    objects: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)
    more: bool = False

    @property
    def count(self) -> int:
        return sum(self.objects.values())


def expire_objects(
    store: ObjectStore, counting: CountingRevisions, rules: Rules, now: datetime, *, most: int
) -> Expired:
    """Delete what may go of every minute. Doing it again deletes nothing more; a run that was ended goes on so.

    Args:
        store: the bucket.
        counting: asked only for days that have a minute with several revisions.
        rules: how long things are kept.
        now: aware, UTC.
        most: objects deleted at most; a minute's are deleted all or not at all.

    Raises:
        TransientError: S3 or the report API does not answer.
        ConfigurationError: one of them refuses.
    """
    expired = Expired()
    for day in _days(store, now - rules.protected):
        files = by_window([*store.objects("minutes", day), *store.objects("reports", day)])
        removals: list[Removal] = []
        for group in _plans(files, _counting(files, counting, day), store, rules, now):
            planned = expired.count + len(removals)
            if planned and planned + len(group) > most:
                expired.more = True
                break
            removals += group
        _delete(store, removals, expired, day)
        if expired.more:
            break
    return expired


def _days(store: ObjectStore, newest: datetime) -> list[date]:
    days = {*store.dates("minutes"), *store.dates("reports")}
    return sorted(day for day in days if day <= newest.date())


def _counting(files: Iterable[WindowFiles], counting: CountingRevisions, day: date) -> Mapping[MinuteWindow, Counting]:
    """Where each minute has one revision alone, none can be old, and nobody has to be asked."""
    if all(len(one.revisions) == 1 for one in files):
        return {}
    start = datetime.combine(day, time(), UTC)
    return counting(start, start + DAY)


def _plans(
    files: Iterable[WindowFiles],
    counting: Mapping[MinuteWindow, Counting],
    store: ObjectStore,
    rules: Rules,
    now: datetime,
) -> Iterable[list[Removal]]:
    for one in files:
        counts = counting.get(one.window)
        read = {
            revision: store.inputs(WindowObjects(one.window, revision).report)
            for revision in to_read(one, counts, rules, now)
        }
        known = {revision: keys for revision, keys in read.items() if keys is not None}
        if missing := sorted(set(read) - set(known)):
            log.warning("revisions kept: the report that counts can't be read", window=str(one.window), missing=missing)
        yield plan(one, counts, known, rules, now)


def _delete(store: ObjectStore, removals: Sequence[Removal], expired: Expired, day: date) -> None:
    if not removals:
        return
    store.remove([removal.key for removal in removals])
    counts = Counter(removal.reason.value for removal in removals)
    for removal in removals:
        expired.bytes[removal.reason.value] += removal.bytes
    expired.objects += counts
    log.info("objects expired", day=day.isoformat(), objects=dict(counts))
