"""Which objects may go, and why: decided from what is there, without asking anybody.

For one minute:

- Nothing goes while reports of it may still be made, filled or revised (`Rules.protected`).
- Its minute files (events, baseline, manifest) go together when the youngest object of the minute is older than
  `Rules.minutes`: so a revision that was scored anew keeps what it was made of, whichever revision that belongs to.
- Objects of a revision below the one that counts go when that one is older than `Rules.old_revisions`. Until the
  minute files go, what else a report could not be made again without stays: the files that a kept report names in its
  `inputs`; manifests, as a repeated run of a revision would else write other events in their place; and the report
  before a kept one, from which that tells its changes.
- Its reports go when the youngest object of the minute is older than `Rules.reports`.

Ages count from when something was written, not from when it happened: replays bring minutes that are years old.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from clickpulse.objects import WindowObjects
from clickpulse.windows import MinuteWindow


@dataclass(frozen=True)
class Rules:
    """How long things are kept."""

    minutes: timedelta
    old_revisions: timedelta
    reports: timedelta
    protected: timedelta


@dataclass(frozen=True)
class StoredObject:
    """An object as a listing shows it."""

    key: str
    bytes: int
    modified: datetime


@dataclass(frozen=True)
class Counting:
    """The revision that counts for a minute, as the report API has it."""

    revision: int
    received_at: datetime


@dataclass(frozen=True)
class WindowFiles:
    """All objects of one minute, by revision."""

    window: MinuteWindow
    minutes: Mapping[int, Sequence[StoredObject]]
    reports: Mapping[int, Sequence[StoredObject]]

    @property
    def revisions(self) -> list[int]:
        return sorted({*self.minutes, *self.reports})

    @property
    def youngest(self) -> datetime:
        """When something of the minute was last written; not before its end."""
        everything = (*self.minutes.values(), *self.reports.values())
        return max([self.window.end, *(stored.modified for group in everything for stored in group)])


class Reason(StrEnum):
    MINUTES = "minute files"
    OLD_REVISIONS = "old revisions"
    REPORTS = "reports"


@dataclass(frozen=True)
class Removal:
    """An object that may go."""

    key: str
    bytes: int
    reason: Reason


def superseded(files: WindowFiles, counting: Counting | None, rules: Rules, now: datetime) -> list[int]:
    """Revisions below the one that counts, where that has counted for long enough."""
    if counting is None or now - files.window.end < rules.protected or now - counting.received_at < rules.old_revisions:
        return []
    return [revision for revision in files.revisions if revision < counting.revision]


def to_read(files: WindowFiles, counting: Counting | None, rules: Rules, now: datetime) -> list[int]:
    """Revisions whose reports have to be read before `plan`: those that stay, where others may go."""
    if counting is None or not superseded(files, counting, rules, now):
        return []
    return sorted({counting.revision, *(revision for revision in files.reports if revision > counting.revision)})


def plan(
    files: WindowFiles,
    counting: Counting | None,
    inputs: Mapping[int, Collection[str]],
    rules: Rules,
    now: datetime,
) -> list[Removal]:
    """What may go of a minute.

    Args:
        files: all objects of the minute.
        counting: the revision that counts; None where the report API has no report of the minute, and then none is old.
        inputs: the keys that the reports of `to_read` name. Where one of them is missing, no revision is old.
        rules: how long things are kept.
        now: aware.
    """
    if now - files.window.end < rules.protected:
        return []
    age = now - max([files.youngest, *([counting.received_at] if counting else [])])
    if age > rules.reports:
        return [*_all(files.minutes, Reason.MINUTES), *_all(files.reports, Reason.REPORTS)]
    old = superseded(files, counting, rules, now)
    reports = {revision: files.reports.get(revision, ()) for revision in old}
    if age > rules.minutes:
        return [*_all(files.minutes, Reason.MINUTES), *_all(reports, Reason.OLD_REVISIONS)]
    kept = to_read(files, counting, rules, now)
    if set(kept) - set(inputs):
        return []
    needed = {key for revision in kept for key in inputs[revision]}
    needed |= {WindowObjects(files.window, revision - 1).report for revision in kept}
    needed |= {WindowObjects(files.window, revision).manifest for revision in old}
    minutes = {revision: files.minutes.get(revision, ()) for revision in old}
    removals = [*_all(minutes, Reason.OLD_REVISIONS), *_all(reports, Reason.OLD_REVISIONS)]
    return [removal for removal in removals if removal.key not in needed]


def _all(groups: Mapping[int, Sequence[StoredObject]], reason: Reason) -> Iterator[Removal]:
    """A manifest outlives what it is the cutoff of: should a run be killed, no events are left without it."""
    for revision in sorted(groups):
        for stored in sorted(groups[revision], key=lambda one: (one.key.endswith("/manifest.json"), one.key)):
            yield Removal(stored.key, stored.bytes, reason)


def by_window(objects: Sequence[StoredObject]) -> list[WindowFiles]:
    """The objects of each minute, oldest minute first; objects with other names are not ours and left out."""
    minutes: dict[MinuteWindow, dict[int, list[StoredObject]]] = {}
    reports: dict[MinuteWindow, dict[int, list[StoredObject]]] = {}
    for stored in objects:
        if (place := WindowObjects.locate(stored.key)) is not None:
            kinds = minutes if stored.key.startswith("minutes/") else reports
            kinds.setdefault(place.window, {}).setdefault(place.revision, []).append(stored)
    return [
        WindowFiles(window, minutes.get(window, {}), reports.get(window, {})) for window in sorted({*minutes, *reports})
    ]
