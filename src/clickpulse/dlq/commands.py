"""`clickpulse dlq list | show | redrive`: what was set aside, why, and sending it to its topic again."""

from __future__ import annotations

import json
import logging
from collections import deque
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from clickpulse.dlq.letters import Letter
    from clickpulse.dlq.session import Session

_dlq = typer.Typer(
    no_args_is_help=True,
    help="The dead-letter topic: what could not be used, why, and sending it to its topic again. "
    "Reads as Kafka's user `viewer`.",
)
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ReasonOption = Annotated[str | None, typer.Option("--reason", help="Only this error class, such as malformed-avro.")]


def register(app: typer.Typer) -> None:
    """Add the command `dlq`."""
    app.add_typer(_dlq, name="dlq")


@_dlq.command("list")
def list_groups(
    *,
    since: Annotated[
        str | None, typer.Option(help="Only what was set aside since: a time (2026-11-22T10:05Z), or 30m, 6h, 2d ago.")
    ] = None,
    component: Annotated[str | None, typer.Option(help="Only by this part: sink, producer, connect.")] = None,
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Group the letters by error class and by who set them aside. A message that was set aside twice counts once."""
    from clickpulse.dlq.catalog import Selection
    from clickpulse.dlq.session import Session
    from clickpulse.dlq.text import group_json, groups_text

    selection = Selection(reason, component, _since(since))
    with Session(quiet=as_json) as session:
        catalog, markers = session.catalog(), session.markers()
        groups = catalog.groups(selection, markers)
    messages = sum(group.messages for group in groups)
    if as_json:
        document = {"topic": session.topic, "messages": messages, "groups": [group_json(group) for group in groups]}
        typer.echo(json.dumps(document, indent=2))
    elif groups:
        _console().print(groups_text(groups, f"{messages:,} messages in {session.topic}"))
    else:
        typer.echo(_nothing(session.topic, catalog.error_classes(), reason))


@_dlq.command()
def show(
    letter: Annotated[str | None, typer.Argument(metavar="[PARTITION/OFFSET]", help="A letter's place.")] = None,
    *,
    reason: ReasonOption = None,
    limit: Annotated[int, typer.Option(min=1, help="The newest so many, where no place is given.")] = 5,
    as_json: JsonOption = False,
) -> None:
    """Show letters: headers, and the payload decoded as far as possible."""
    from clickpulse.dlq.session import Session
    from clickpulse.dlq.text import letter_json, letter_text
    from clickpulse.errors import ClickpulseError

    with Session(quiet=as_json) as session:
        found = session.letter_at(*_place(letter)) if letter else _newest(session, reason, limit)
        markers = session.markers() if found else {}
        shown = [(one, session.payload(one), markers.get(one.identity)) for one in found]
    if letter and not shown:
        raise ClickpulseError(f"there is no letter {letter} in {session.topic}; `clickpulse dlq show` shows the newest")
    if as_json:
        typer.echo(json.dumps([letter_json(*one) for one in shown], indent=2))
    elif shown:
        for one in shown:
            _console().print(letter_text(*one))
    else:
        typer.echo(_nothing(session.topic, [], reason))


@_dlq.command()
def redrive(
    *,
    reason: ReasonOption = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and write nothing.")] = False,
    mapping: Annotated[
        Path | None,
        typer.Option(help="YAML, as of `replay`: the payload's fields become an event of the current schema."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Also those that were redriven before and came back as letters.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Send letters to the topic they were in, as they were, or through a mapping.

    Each letter is sent at most once, whatever happens in between, and only
    one redrive runs at a time. What still can't be used comes back as a
    letter of its own, its attempts counted, and is then left alone without
    --again.

    Writes as Kafka's user `admin`: letters go into the events' topic, what
    was sent is remembered in a topic that nobody else may write, and the
    lock is a consumer group; no other user has all of these rights. A dry
    run needs `viewer` alone. Status 1 if a letter that was chosen could not
    be sent.
    """
    from clickpulse.dlq.catalog import Selection
    from clickpulse.dlq.redriving import Request, redrive_letters
    from clickpulse.dlq.session import Session
    from clickpulse.logs import configure_logging

    configure_logging("dlq", level=logging.WARNING)
    request = Request(Selection(reason), limit, again, mapping)
    with Session(quiet=as_json, principal="viewer" if dry_run else "admin") as session:
        report = redrive_letters(session, request, dry_run=dry_run)
    if as_json:
        typer.echo(json.dumps(asdict(report), indent=2))
    else:
        _console().print(report.text(), markup=False, highlight=False, soft_wrap=True)
    if report.problems:
        raise typer.Exit(1)


def _newest(session: Session, reason: str | None, limit: int) -> list[Letter]:
    found: deque[Letter] = deque(maxlen=limit)
    found.extend(letter for letter in session.letters() if reason is None or letter.error_class == reason)
    return list(found)


def _nothing(topic: str, classes: list[str], reason: str | None) -> str:
    if reason is None:
        return f"no letters in {topic}"
    known = f"; there are {', '.join(classes)}" if classes else ""
    return f"no letters of class {reason} in {topic}{known}"


def _place(text: str) -> tuple[int, int]:
    from clickpulse.errors import ConfigurationError

    partition, _, offset = text.partition("/")
    if not (partition.isdecimal() and offset.isdecimal()):
        raise ConfigurationError(f"{text!r} is no place of a letter: write PARTITION/OFFSET, such as 0/17")
    return int(partition), int(offset)


def _since(text: str | None) -> datetime | None:
    from clickpulse.errors import ConfigurationError

    if text is None:
        return None
    seconds = {"s": 1, "m": 60, "h": 3600, "d": 86_400}.get(text[-1:])
    if seconds and text[:-1].isdecimal():
        return datetime.now(UTC) - timedelta(seconds=int(text[:-1]) * seconds)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(f"--since {text!r} is no time such as 2026-11-22T10:05Z or 30m") from None
    if moment.tzinfo is None:
        raise ConfigurationError(f"--since {text!r} has no time zone: write {text}Z for UTC")
    return moment.astimezone(UTC)


def _console() -> Any:
    from rich.console import Console

    return Console()
