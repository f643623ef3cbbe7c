"""Which letters were sent again: a compacted topic with one entry for each letter, the newest counts.

Before a letter is sent, its entry says `intended` and where the ends of its topic were; when Kafka has acknowledged it,
`done`. After a kill in between, the topic from those ends on tells whether the message is there: it names its letter in
the header `dlq.redriven_from`. So a letter is sent at most once, without the transactions whose markers completeness
can't read past.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from clickpulse.dead_letters import ATTEMPT, REDRIVEN_FROM
from clickpulse.dlq.reading import Offsets
from clickpulse.errors import ConfigurationError


class State(StrEnum):
    INTENDED = "intended"
    DONE = "done"
    REFUSED = "refused"
    """Kafka did not take it, nothing was written."""
    UNKNOWN = "unknown"
    """Intended, and Kafka no longer has what came then: it counts as sent."""


class Marker(BaseModel):
    """What became of one letter.

    `identity` is the message's (see `Letter.identity`), `letter` the letter's place, `ends` where the topic ended when
    it was intended, `sent_to` partition and offset of the message.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    state: State
    letter: str
    identity: str
    topic: str
    attempt: int
    ends: Offsets
    at: datetime
    sent_to: tuple[int, int] | None = None

    def becomes(self, state: State, at: datetime, sent_to: tuple[int, int] | None = None) -> Marker:
        return self.model_copy(update={"state": state, "at": at, "sent_to": sent_to})


class Reader(Protocol):
    """See `TopicReader`."""

    def bounds(self, topic: str) -> dict[int, tuple[int, int]]: ...
    def read(self, topic: str, starts: Offsets | None = None, ends: Offsets | None = None) -> Iterable[Any]: ...


def read_markers(reader: Reader, topic: str) -> dict[str, Marker]:
    """By the identity of the message.

    Raises:
        ConfigurationError: something else is in the topic.
        TransientError: Kafka does not answer.
    """
    markers = {}
    for message in reader.read(topic):
        if message.value() is None:
            continue
        try:
            marker = Marker.model_validate_json(message.value())
        except ValidationError as error:
            raise ConfigurationError(
                f"{topic} holds at {message.partition()}/{message.offset()} what no redrive wrote: another program "
                "uses this topic; nothing is redriven, as it would not be known what was"
            ) from error
        markers[marker.identity] = marker
    return markers


def resolve(reader: Reader, markers: dict[str, Marker], now: datetime) -> dict[str, Marker]:
    """What became of the letters that were intended when a redrive ended before its time, by identity.

    `done` if the message is in its topic, `refused` if it is not, `unknown` if that can't be told any more.
    """
    by_topic: defaultdict[str, list[Marker]] = defaultdict(list)
    for marker in markers.values():
        if marker.state == State.INTENDED:
            by_topic[marker.topic].append(marker)
    return {
        marker.identity: resolved
        for topic, intended in by_topic.items()
        for marker, resolved in _resolve_in(reader, topic, intended, now)
    }


def _resolve_in(reader: Reader, topic: str, intended: list[Marker], now: datetime) -> Iterable[tuple[Marker, Marker]]:
    bounds = reader.bounds(topic)
    starts = {
        partition: min((marker.ends[partition] for marker in intended if partition in marker.ends), default=low)
        for partition, (low, _) in bounds.items()
    }
    found = {
        origin: (message.partition(), message.offset())
        for message in reader.read(topic, starts)
        if (origin := _redriven_from(message)) is not None
    }
    for marker in intended:
        sent_to = found.get((marker.letter, marker.attempt))
        if sent_to is not None:
            yield marker, marker.becomes(State.DONE, now, sent_to)
        elif _still_there(marker.ends, bounds):
            yield marker, marker.becomes(State.REFUSED, now)
        else:
            yield marker, marker.becomes(State.UNKNOWN, now)


def _redriven_from(message: Any) -> tuple[str, int] | None:
    headers = dict(message.headers() or ())
    letter, attempt = headers.get(REDRIVEN_FROM), headers.get(ATTEMPT)
    if letter is None or attempt is None or not attempt.isdigit():
        return None
    return letter.decode("utf-8", "replace"), int(attempt)


def _still_there(ends: Offsets, bounds: dict[int, tuple[int, int]]) -> bool:
    """Whether Kafka has all that was written since: nothing was deleted, and it is the same topic."""
    return all(p in bounds and bounds[p][0] <= end <= bounds[p][1] for p, end in ends.items())
