"""The rows as JSON lines: appended as scenarios end, the newest of each name counts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from clickpulse.settings import PROJECT_ROOT

RESULTS = PROJECT_ROOT / ".clickpulse" / "faults" / "results.jsonl"
"""Where a run of the suite writes them, unless told otherwise."""


def append(file: Path, row: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(row, ensure_ascii=False) + "\n")


def newest(file: Path, order: Iterable[str] = ()) -> list[dict[str, Any]]:
    """The newest row of each name, in `order` as far as it names them, then as they came."""
    if not file.is_file():
        return []
    rows: dict[str, dict[str, Any]] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        rows[row["name"]] = row
    places = {name: place for place, name in enumerate(order)}
    return sorted(rows.values(), key=lambda row: places.get(row["name"], len(places)))


def passed(file: Path, name: str) -> bool:
    """Whether this scenario's newest row is a good one."""
    return any(row["passed"] for row in newest(file) if row["name"] == name)


def write(file: Path, rows: Iterable[dict[str, Any]]) -> None:
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
