"""A redrive from the command's request to its report: plan, lock, send."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from clickpulse.dlq.catalog import Selection
from clickpulse.dlq.lock import RedriveLock
from clickpulse.dlq.markers import Marker, resolve
from clickpulse.dlq.redrive import Outcome, Plan, Problem, Redrive, ToOutgoing, as_it_was, chosen_letters, make_plan
from clickpulse.dlq.remapping import Remapping
from clickpulse.dlq.sending import Sender
from clickpulse.dlq.session import Session
from clickpulse.errors import BadRecordError, ClickpulseError
from clickpulse.future import FutureLimit
from clickpulse.settings import ProducerSettings, RegistrySettings, SinkSettings
from producer.mapping import load_mapping
from producer.registry import register
from producer.wire import Encoder, read_schema

SHOWN_PROBLEMS = 20
_NO_ID = 0
"""Stands for the schema's id in a dry run, which registers nothing."""


@dataclass(frozen=True)
class Request:
    """What the command was asked for."""

    selection: Selection
    limit: int | None = None
    again: bool = False
    mapping: Path | None = None


@dataclass
class Report:
    """What was done, or would be. Counts are of messages; `resolved` is what an interrupted redrive had left open."""

    topic: str
    dry_run: bool
    matching: int
    redriven: int
    already_redriven: int
    came_back: int
    unknown: int
    over_limit: int
    resolved: dict[str, int]
    letters: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def text(self) -> str:
        """For people."""
        verb = "would be redriven" if self.dry_run else "redriven"
        rows = {
            f"{verb}": self.redriven,
            "redriven before": self.already_redriven,
            "redriven before and came back: --again takes them": self.came_back,
            "not known whether they were sent: Kafka no longer has what came then": self.unknown,
            "over --limit": self.over_limit,
            "stay": len(self.problems),
            **{f"of an interrupted redrive: {state}": count for state, count in self.resolved.items()},
        }
        lines = [f"{self.matching:,} messages in {self.topic}"]
        lines += [f"{count:>9,} {words}" for words, count in rows.items() if count]
        lines += [f"  {one.letter} ({one.error_class}): {one.reason}" for one in self.problems[:SHOWN_PROBLEMS]]
        if len(self.problems) > SHOWN_PROBLEMS:
            lines.append(f"  and {len(self.problems) - SHOWN_PROBLEMS:,} more: --json names all")
        if self.redriven and not self.dry_run:
            lines.append("What still can't be used comes back as a letter: `clickpulse dlq list` counts it.")
        return "\n".join(lines)


def redrive_letters(session: Session, request: Request, *, dry_run: bool) -> Report:
    """Do what was asked for.

    Raises:
        LockedError: another redrive is running.
        ConfigurationError: a setting, the mapping or a topic is wrong.
        TransientError: a dependency does not answer.
    """
    to_outgoing = _to_outgoing(session, request.mapping, dry_run=dry_run)
    if dry_run:
        return _dry_run(session, request, to_outgoing)
    session.reader.ends(session.marker_topic)  # without the topic nothing would be remembered
    session.display.stage("waiting for the lock")
    with RedriveLock(session.kafka, session.marker_topic, f"{session.topic}-redrive") as lock:
        return run_redrive(session, request, to_outgoing, Sender(session.kafka), lock.require)


def run_redrive(
    session: Session,
    request: Request,
    to_outgoing: ToOutgoing,
    sender: Sender,
    require_lock: Callable[[], None],
) -> Report:
    """The redrive itself, by one who holds the lock."""
    plan, resolved = _plan(session, request)
    redrive = Redrive(
        session.reader,
        sender,
        session.marker_topic,
        require_lock=require_lock,
        to_outgoing=to_outgoing,
        now=_now,
    )
    redrive.remember(resolved.values())
    outcome = Outcome()
    session.display.stage("redriving", total=len(plan.chosen))
    try:
        redrive.run(chosen_letters(session.reader, session.topic, plan.chosen), outcome, session.display.update)
    except ClickpulseError as error:
        error.add_note(f"{len(outcome.sent)} letters had been redriven")
        raise
    return _report(session, plan, resolved, outcome, dry_run=False)


def _dry_run(session: Session, request: Request, to_outgoing: ToOutgoing) -> Report:
    plan, resolved = _plan(session, request)
    outcome = Outcome()
    session.display.stage("trying", total=len(plan.chosen))
    for number, letter in enumerate(chosen_letters(session.reader, session.topic, plan.chosen), start=1):
        try:
            to_outgoing(letter)
        except BadRecordError as error:
            outcome.problems.append(Problem(letter.place, letter.error_class, error.reason))
        else:
            outcome.sent.append(letter.place)
        session.display.update(number)
    return _report(session, plan, resolved, outcome, dry_run=True)


def _plan(session: Session, request: Request) -> tuple[Plan, dict[str, Marker]]:
    """The plan, and what became of an interrupted redrive's letters."""
    catalog, markers = session.catalog(), session.markers()
    session.display.stage("looking for what an interrupted redrive has sent")
    resolved = resolve(session.reader, markers, _now())
    plan = make_plan(
        catalog,
        markers | resolved,
        request.selection,
        limit=request.limit,
        again=request.again,
        mapped=request.mapping is not None,
    )
    return plan, resolved


def _report(session: Session, plan: Plan, resolved: dict[str, Marker], outcome: Outcome, *, dry_run: bool) -> Report:
    gone = {entry.name: entry for entry in plan.chosen}
    for place in [*outcome.sent, *(problem.letter for problem in outcome.problems)]:
        gone.pop(place, None)
    deleted = [Problem(name, entry.error_class, "Kafka has deleted it meanwhile") for name, entry in gone.items()]
    return Report(
        topic=session.topic,
        dry_run=dry_run,
        matching=plan.matching,
        redriven=len(outcome.sent),
        already_redriven=plan.already,
        came_back=plan.came_back,
        unknown=plan.unknown,
        over_limit=plan.over_limit,
        resolved={"done": 0, "not sent": 0, "unknown": 0} | _resolved(resolved),
        letters=outcome.sent,
        problems=[*plan.problems, *outcome.problems, *deleted],
    )


def _resolved(resolved: dict[str, Marker]) -> dict[str, int]:
    words = {"refused": "not sent"}
    return dict(Counter(words.get(marker.state, str(marker.state)) for marker in resolved.values()))


def _to_outgoing(session: Session, mapping: Path | None, *, dry_run: bool) -> ToOutgoing:
    if mapping is None:
        return as_it_was
    loaded, schema = load_mapping(mapping), read_schema()
    future = FutureLimit(SinkSettings.load().max_future_seconds)
    remappings: dict[str, Remapping] = {}

    def remapping_of(topic: str) -> Remapping:
        if topic not in remappings:
            timeout = ProducerSettings.load().connect_timeout_seconds
            schema_id = _NO_ID if dry_run else register(schema, topic, RegistrySettings.load(), timeout_seconds=timeout)
            remappings[topic] = Remapping(loaded, session.schema_of, Encoder(schema, schema_id), future)
        return remappings[topic]

    return lambda letter: remapping_of(letter.topic).outgoing(letter)


def _now() -> datetime:
    return datetime.now(UTC)
