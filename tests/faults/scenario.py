"""A fault as an object: what it is called, how it is brought about and undone, and what has to be true afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from clickpulse.windows import MinuteWindow
from tests.faults.canary import Search
from tests.faults.proxy import FaultProxy
from tests.faults.services import Services
from tests.faults.topics import Letter
from tests.faults.traffic import Ledger, Traffic


@dataclass
class Lab:
    """The stack under test and everything that watches it.

    Args:
        home: of the stack.
        folder: for the outputs of commands that the tests run.
        proxies: by what they stand in front of (`clickhouse`, `s3`, `report-api`); empty where the stack was started
            without them.
        small_disks: by service, its data folder where that is a small file system of its own.
    """

    home: Path
    folder: Path
    services: Services
    traffic: Traffic
    ledger: Ledger
    search: Search
    proxies: Mapping[str, FaultProxy] = field(default_factory=dict)
    small_disks: Mapping[str, Path] = field(default_factory=dict)


@dataclass
class Course:
    """What a scenario tells while it runs.

    `ended_at` (seconds since the epoch) is when the fault was over, where that was before the end of `strike`: a kill
    is over at once, however long the new process takes. `letters` are dead letters to expect, by error class;
    `also_reported` and `unreported` are minutes besides those with traffic that got messages: with a report that counts
    them, or without any.
    """

    notes: list[str] = field(default_factory=list)
    ended_at: float | None = None
    letters: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    also_reported: set[MinuteWindow] = field(default_factory=set)
    unreported: set[MinuteWindow] = field(default_factory=set)

    def note(self, text: str) -> None:
        """For the table's column `what happened`, once."""
        if text not in self.notes:
            self.notes.append(text)


Strike = Callable[[Lab, Course], AbstractContextManager[None]]


def nothing_missing(_lab: Lab) -> str | None:
    return None


def nothing_to_add(_lab: Lab, _course: Course, _letters: list[Letter]) -> Iterable[str]:
    return ()


@dataclass(frozen=True)
class Scenario:
    """One fault.

    Args:
        name: short and unique, for the command line.
        title: for the table.
        story: what happens, for the table; what is seen meanwhile is added.
        strike: entered to bring the fault about, left to undo it.
        seconds: how long it lasts.
        missing: why it can't be brought about here, if so.
        verify: problems besides the events' account, such as an unclear refusal.
        healthy_seconds: until all services have to be healthy again.
        report_seconds: until all minutes have to be reported completely, from then on.
    """

    name: str
    title: str
    story: str
    strike: Strike
    seconds: float = 0
    missing: Callable[[Lab], str | None] = nothing_missing
    verify: Callable[[Lab, Course, list[Letter]], Iterable[str]] = nothing_to_add
    healthy_seconds: float = 300
    report_seconds: float = 480
