"""Which letters are sent to their topic again, and sending them in an order that a kill can't harm.

A message goes through these steps, a batch at a time: its marker says `intended`; the lock is confirmed; it is sent;
its marker says what became of it. Wherever that is cut off, the next redrive knows or finds out (`markers.resolve`).
There is no loop: only letters that were there at the start are taken, and what was redriven before and came back as a
letter of its own is left alone unless that is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from clickpulse.dead_letters import ATTEMPT, REDRIVEN_FROM
from clickpulse.dlq.catalog import Catalog, Entry, Selection, was_sent
from clickpulse.dlq.letters import Letter, parse_letter
from clickpulse.dlq.markers import Marker, State
from clickpulse.dlq.reading import Offsets
from clickpulse.dlq.sending import Outgoing, Sent
from clickpulse.errors import BadRecordError, TransientError

BATCH_LETTERS = 100
BATCH_BYTES = 8 * 1024**2

ToOutgoing = Callable[[Letter], Outgoing]
"""What a letter becomes. Raises `BadRecordError` if nothing can be made of it."""


@dataclass(frozen=True)
class Problem:
    """A letter that stays, and why."""

    letter: str
    error_class: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """What a redrive does; counts are of messages, however often each was dead-lettered.

    `matching` = `chosen` + `already` + `unknown` + `came_back` + `over_limit` + the problems.
    """

    chosen: list[Entry]
    matching: int
    already: int
    unknown: int
    came_back: int
    over_limit: int
    problems: list[Problem]


def make_plan(
    catalog: Catalog,
    markers: Mapping[str, Marker],
    selection: Selection,
    *,
    limit: int | None = None,
    again: bool = False,
    mapped: bool = False,
) -> Plan:
    """Choose the letters.

    Args:
        catalog: all letters.
        markers: resolved; none is `intended`.
        selection: which letters are meant.
        limit: at most as many.
        again: also those that were redriven and came back.
        mapped: they go through a mapping: what has no original bytes can be sent too.
    """
    chosen: list[Entry] = []
    problems: list[Problem] = []
    matching = already = unknown = came_back = over_limit = 0
    for entry in catalog.first_of_each_message(selection):
        matching += 1
        marker = markers.get(entry.identity)
        if marker is not None and was_sent(marker):
            already += marker.state == State.DONE
            unknown += marker.state == State.UNKNOWN
        elif entry.attempt and not again:
            came_back += 1
        elif entry.unsendable and not (mapped and entry.topic):
            problems.append(Problem(entry.name, entry.error_class, entry.unsendable))
        elif limit is not None and len(chosen) >= limit:
            over_limit += 1
        else:
            chosen.append(entry)
    return Plan(chosen, matching, already, unknown, came_back, over_limit, problems)


def as_it_was(letter: Letter) -> Outgoing:
    """The original message."""
    return Outgoing(letter.topic, letter.key, letter.value, letter.timestamp_ms, letter.headers)


class Reader(Protocol):
    """See `TopicReader`."""

    def bounds(self, topic: str) -> dict[int, tuple[int, int]]: ...
    def read(self, topic: str, starts: Offsets | None = None, ends: Offsets | None = None) -> Iterable[Any]: ...


class MessageSender(Protocol):
    """See `Sender`."""

    def send(self, messages: Sequence[Outgoing]) -> list[Sent]: ...


@dataclass
class Outcome:
    """What was done so far; `sent` names the letters, `problems` those that stay."""

    sent: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def chosen_letters(reader: Reader, topic: str, chosen: Iterable[Entry]) -> Iterator[Letter]:
    """The chosen letters with their payloads, in the order of their places; without those that Kafka has deleted."""
    wanted = {entry.place for entry in chosen}
    starts: Offsets = {}
    ends: Offsets = {}
    for partition, offset in wanted:
        starts[partition] = min(offset, starts.get(partition, offset))
        ends[partition] = max(offset + 1, ends.get(partition, 0))
    if wanted:
        for message in reader.read(topic, starts, ends):
            if (message.partition(), message.offset()) in wanted:
                yield parse_letter(message)


class Redrive:
    """Sends letters.

    Args:
        reader: of the topics that letters go to.
        sender: may write there and to the markers' topic.
        marker_topic: remembers what was sent.
        require_lock: returns if this redrive is still the only one.
        to_outgoing: what a letter becomes.
        now: the clock, aware.
    """

    def __init__(
        self,
        reader: Reader,
        sender: MessageSender,
        marker_topic: str,
        *,
        require_lock: Callable[[], None],
        to_outgoing: ToOutgoing,
        now: Callable[[], datetime],
    ) -> None:
        self._reader = reader
        self._sender = sender
        self._marker_topic = marker_topic
        self._require_lock = require_lock
        self._to_outgoing = to_outgoing
        self._now = now

    def run(self, letters: Iterable[Letter], outcome: Outcome, progress: Callable[[int], None]) -> None:
        """Send them; `outcome` is kept up to date, also if this ends with an error.

        Raises:
            LockedError: another redrive has taken over.
            TransientError: Kafka (or the registry, with a mapping) does not answer; what was under way then is found
                out by the next redrive.
        """
        for batch in _batches(letters):
            self._send(batch, outcome)
            progress(len(outcome.sent) + len(outcome.problems))

    def remember(self, markers: Iterable[Marker]) -> None:
        """Write markers; `TransientError` unless Kafka has all of them."""
        messages = [
            Outgoing(self._marker_topic, marker.letter.encode(), marker.model_dump_json().encode())
            for marker in markers
        ]
        for sent in self._sender.send(messages) if messages else ():
            if sent.place is None:
                raise TransientError(f"{self._marker_topic} could not be written: {sent.refused or sent.unknown}")

    def _send(self, letters: list[Letter], outcome: Outcome) -> None:
        ready = self._prepared(letters, outcome)
        if not ready:
            return
        self.remember(marker for _, _, marker in ready)
        self._require_lock()
        results = self._sender.send([message for _, message, _ in ready])
        done: list[Marker] = []
        unknown = ""
        for (letter, _, marker), sent in zip(ready, results, strict=True):
            if sent.place is not None:
                outcome.sent.append(letter.place)
                done.append(marker.becomes(State.DONE, self._now(), sent.place))
            elif sent.refused:
                outcome.problems.append(_problem(letter, f"Kafka refuses it: {sent.refused}"))
                done.append(marker.becomes(State.REFUSED, self._now()))
            else:
                unknown = sent.unknown
        self.remember(done)
        if unknown:
            raise TransientError(
                f"Kafka does not answer ({unknown}); it is not known of {len(ready) - len(done)} letters whether they "
                "were sent: the next redrive finds out"
            )

    def _prepared(self, letters: list[Letter], outcome: Outcome) -> list[tuple[Letter, Outgoing, Marker]]:
        bounds = {topic: self._reader.bounds(topic) for topic in {letter.topic for letter in letters}}
        ready = []
        for letter in letters:
            ends = {partition: end for partition, (_, end) in bounds[letter.topic].items()}
            if not ends:
                outcome.problems.append(_problem(letter, f"there is no topic {letter.topic}"))
                continue
            try:
                message = redriven(letter, self._to_outgoing(letter))
            except BadRecordError as error:
                outcome.problems.append(_problem(letter, error.reason))
                continue
            marker = Marker(
                state=State.INTENDED,
                letter=letter.place,
                identity=letter.identity,
                topic=letter.topic,
                attempt=letter.attempt + 1,
                ends=ends,
                at=self._now(),
            )
            ready.append((letter, message, marker))
        return ready


def redriven(letter: Letter, message: Outgoing) -> Outgoing:
    """The message with the headers that tell where it comes from."""
    headers = ((REDRIVEN_FROM, letter.place.encode()), (ATTEMPT, b"%d" % (letter.attempt + 1)))
    return Outgoing(message.topic, message.key, message.value, message.timestamp_ms, (*message.headers, *headers))


def _problem(letter: Letter, reason: str) -> Problem:
    return Problem(letter.place, letter.error_class, reason)


def _batches(letters: Iterable[Letter]) -> Iterator[list[Letter]]:
    batch: list[Letter] = []
    size = 0
    for letter in letters:
        batch.append(letter)
        size += len(letter.value or b"")
        if len(batch) >= BATCH_LETTERS or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
