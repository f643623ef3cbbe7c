"""Letters and groups for people, and as JSON. What strangers wrote is shown without control characters and markup."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.console import Group as Renderables
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from clickpulse.dlq.catalog import Group
from clickpulse.dlq.letters import Letter
from clickpulse.dlq.markers import Marker
from clickpulse.dlq.payload import Payload, printable
from clickpulse.future import iso_of_ms

SHOWN_BYTES = 256
JSON_BYTES = 64 * 1024
"""Of a value that could not be decoded."""


def safe(text: str) -> str:
    """Without what a terminal would act on."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def iso(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z") if moment else None


def group_json(group: Group) -> dict[str, Any]:
    return {
        "error_class": group.error_class,
        "component": group.component,
        "reason": group.reason,
        "messages": group.messages,
        "letters": group.letters,
        "first_at": iso(group.first_at),
        "last_at": iso(group.last_at),
        "redriven": group.redriven,
        "came_back": group.came_back,
    }


def groups_text(groups: Sequence[Group], title: str) -> RenderableType:
    """Narrow enough for a terminal of 80 columns."""
    table = Table(title=title, title_justify="left", header_style="bold", box=None, padding=(0, 2, 0, 0))
    table.add_column("class, by", overflow="fold")
    for name in ("messages", "redriven", "came back"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("first, last (UTC)", no_wrap=True)
    reasons = []
    for group in groups:
        more = f"\nin {group.letters:,} letters" if group.letters > group.messages else ""
        table.add_row(
            Text(f"{safe(group.error_class)}\n  {safe(group.component)}"),
            f"{group.messages:,}{more}",
            f"{group.redriven:,}",
            f"{group.came_back:,}",
            f"{_second(group.first_at)}\n{_second(group.last_at)}",
        )
        reasons += [
            "",
            f"{safe(group.error_class)}, {safe(group.component)}, newest reason:",
            f"  {safe(group.reason)}",
        ]
    return Renderables(table, Text("\n".join(reasons)))


def letter_json(letter: Letter, payload: Payload, marker: Marker | None) -> dict[str, Any]:
    value = letter.value or b""
    return {
        "letter": letter.place,
        "topic": letter.topic,
        "partition": letter.origin[0] if letter.origin else None,
        "offset": letter.origin[1] if letter.origin else None,
        "timestamp_ms": letter.timestamp_ms,
        "set_aside_at": iso(letter.set_aside_at),
        "error_class": letter.error_class,
        "component": letter.component,
        "reason": letter.reason,
        "attempt": letter.attempt,
        "redriven_from": letter.redriven_from,
        "redriven": _marker_json(marker),
        "key": _words(letter.key),
        "headers": [[name, _words(given)] for name, given in letter.headers],
        "payload": {
            "kind": payload.kind,
            "schema_id": payload.schema_id,
            "complete": not payload.fault,
            "fault": payload.fault or None,
            "content": _plain(payload.content),
            "bytes": None if letter.value is None else len(value),
            "original_bytes": letter.original_bytes,
            "hex": value[:JSON_BYTES].hex() if payload.fault and letter.value is not None else None,
        },
    }


def letter_text(letter: Letter, payload: Payload, marker: Marker | None) -> RenderableType:
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold")
    origin = f"{letter.topic} {letter.origin[0]}/{letter.origin[1]}" if letter.origin else f"for {letter.topic}"
    rows = {
        "letter": letter.place,
        "class": f"{letter.error_class}, by {letter.component}",
        "reason": letter.reason,
        "set aside": _second(letter.set_aside_at),
        "was": origin,
        "Kafka's time": "none" if letter.timestamp_ms is None else iso_of_ms(letter.timestamp_ms),
        "key": _words(letter.key) or "none",
        **{f"header {name}": str(_words(value)) for name, value in letter.headers},
    }
    if letter.attempt:
        rows["came back"] = f"attempt {letter.attempt}, of letter {letter.redriven_from or 'unknown'}"
    if marker is not None:
        where = f", now at {marker.topic} {marker.sent_to[0]}/{marker.sent_to[1]}" if marker.sent_to else ""
        rows["redriven"] = f"{marker.state} at {_second(marker.at)}{where}"
    for name, value in rows.items():
        facts.add_row(safe(name), Text(safe(value)))
    return Renderables(facts, Text(_payload_text(letter, payload)), "")


def _payload_text(letter: Letter, payload: Payload) -> str:
    value = letter.value or b""
    size = f"{len(value):,} bytes" if letter.original_bytes is None else f"{len(value):,} of {letter.original_bytes:,}"
    schema = f", schema {payload.schema_id}" if payload.schema_id is not None else ""
    lines = [f"payload: {payload.kind}{schema}, {size}"]
    if payload.content is not None:
        content = json.dumps(_plain(payload.content), indent=2)
        lines += [f"  {line}" for line in content.splitlines()]
    if payload.fault:
        lines.append(f"  {safe(payload.fault)}")
        lines += _dump(value)
    return "\n".join(lines)


def _dump(value: bytes) -> list[str]:
    """The start of the bytes: place, hexadecimal, ASCII."""
    lines = [
        f"  {start:04x}  {value[start : start + 16].hex(' '):47}  {printable(value[start : start + 16])}"
        for start in range(0, min(len(value), SHOWN_BYTES), 16)
    ]
    return [*lines, "  …"] if len(value) > SHOWN_BYTES else lines


def _marker_json(marker: Marker | None) -> dict[str, Any] | None:
    if marker is None:
        return None
    return {"state": str(marker.state), "at": iso(marker.at), "topic": marker.topic, "sent_to": marker.sent_to}


def _plain(value: Any) -> Any:
    """What JSON can hold: bytes as hexadecimal."""
    if isinstance(value, dict):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value.hex() if isinstance(value, bytes) else value


def _words(value: bytes | None) -> str | None:
    """Text where it is text, hexadecimal otherwise."""
    if value is None:
        return None
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return value.hex()
    return text if text.isprintable() else value.hex()


def _second(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S") if moment else "not told"
