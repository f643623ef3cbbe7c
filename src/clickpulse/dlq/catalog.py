"""All letters without their payloads: how they group, which are of one message, which came back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from sys import intern
from typing import NamedTuple

from clickpulse.dlq.letters import Letter
from clickpulse.dlq.markers import Marker, State


class Entry(NamedTuple):
    """What is kept of a letter; there may be millions."""

    place: tuple[int, int]
    identity: str
    topic: str
    error_class: str
    component: str
    set_aside_at: datetime | None
    attempt: int
    redriven_from: str | None
    unsendable: str

    @classmethod
    def of(cls, letter: Letter) -> Entry:
        return cls(
            (letter.partition, letter.offset),
            letter.identity,
            intern(letter.topic),
            intern(letter.error_class),
            intern(letter.component),
            letter.set_aside_at,
            letter.attempt,
            letter.redriven_from,
            intern(letter.unsendable),
        )

    @property
    def name(self) -> str:
        """As `Letter.place`."""
        return f"{self.place[0]}/{self.place[1]}"


@dataclass(frozen=True)
class Selection:
    """Which letters are meant; all of them where nothing is said. `since` is aware."""

    reason: str | None = None
    component: str | None = None
    since: datetime | None = None

    def takes(self, letter: Letter | Entry) -> bool:
        """A letter without a time is not left out by `since`: Kafka Connect tells none."""
        return (
            (self.reason is None or letter.error_class == self.reason)
            and (self.component is None or letter.component == self.component)
            and (self.since is None or letter.set_aside_at is None or letter.set_aside_at >= self.since)
        )


@dataclass(frozen=True)
class Group:
    """Letters of one class and component.

    `messages` are told apart by their origin, `letters` counts each time one was set aside. `redriven` and `came_back`
    are messages; one that came back is a letter again, with an origin of its own. `reason` is the newest letter's.
    """

    error_class: str
    component: str
    reason: str
    letters: int
    messages: int
    first_at: datetime | None
    last_at: datetime | None
    redriven: int
    came_back: int


class Catalog:
    """The letters in the order of their places."""

    def __init__(self, letters: Iterable[Letter]) -> None:
        self.entries: list[Entry] = []
        self._newest_reason: dict[tuple[str, str], str] = {}
        for letter in letters:
            self.entries.append(Entry.of(letter))
            self._newest_reason[letter.error_class, letter.component] = letter.reason
        self.entries.sort()
        self._returned = {entry.redriven_from for entry in self.entries if entry.redriven_from is not None}

    def __len__(self) -> int:
        return len(self.entries)

    def error_classes(self) -> list[str]:
        return sorted({entry.error_class for entry in self.entries})

    def first_of_each_message(self, selection: Selection) -> Iterator[Entry]:
        """One entry for each message, however often it was dead-lettered."""
        seen: set[str] = set()
        for entry in self.entries:
            if selection.takes(entry) and entry.identity not in seen:
                seen.add(entry.identity)
                yield entry

    def came_back(self, entry: Entry) -> bool:
        """Whether the message that was made of this letter was dead-lettered as well."""
        return entry.name in self._returned

    def groups(self, selection: Selection, markers: Mapping[str, Marker]) -> list[Group]:
        """The largest first."""
        by_kind: dict[tuple[str, str], list[Entry]] = {}
        for entry in self.entries:
            if selection.takes(entry):
                by_kind.setdefault((entry.error_class, entry.component), []).append(entry)
        groups = [self._group(entries, markers) for entries in by_kind.values()]
        return sorted(groups, key=lambda group: (-group.messages, group.error_class, group.component))

    def _group(self, entries: list[Entry], markers: Mapping[str, Marker]) -> Group:
        identities = {entry.identity for entry in entries}
        times = [entry.set_aside_at for entry in entries if entry.set_aside_at is not None]
        return Group(
            error_class=entries[0].error_class,
            component=entries[0].component,
            reason=self._newest_reason[entries[0].error_class, entries[0].component],
            letters=len(entries),
            messages=len(identities),
            first_at=min(times, default=None),
            last_at=max(times, default=None),
            redriven=sum(was_sent(markers.get(identity)) for identity in identities),
            came_back=len({entry.identity for entry in entries if self.came_back(entry)}),
        )


def was_sent(marker: Marker | None) -> bool:
    """Whether the letter must not be sent: it was, or that can't be excluded."""
    return marker is not None and marker.state in {State.DONE, State.UNKNOWN}
