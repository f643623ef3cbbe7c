"""`docs/reliability.md` from the suite's rows: `python -m tests.faults.table [RESULTS]`.

The prose is in `reliability.template.md` beside this file; the rows that the document shows are kept in
`docs/reliability.jsonl`, so that anybody can make the same document again.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from clickpulse.settings import PROJECT_ROOT
from tests.faults import results

DOCUMENT = PROJECT_ROOT / "docs" / "reliability.md"
ROWS = PROJECT_ROOT / "docs" / "reliability.jsonl"
TEMPLATE = Path(__file__).with_name("reliability.template.md")

LONG_RUN = "long-run"
"""Name of the row that is told in a paragraph of its own."""

_HEADER = (
    "| fault | what happened | events at risk | lost | duplicated | all healthy after | first complete report after |",
    "|---|---|---:|---:|---:|---:|---:|",
)
_REFUSED_HEADER = ("| fault | what was said |", "|---|---|")


def render(template: str, rows: Sequence[dict[str, Any]]) -> str:
    """The document; rows come in the order of the table."""
    faults = [row for row in rows if row["name"] != LONG_RUN]
    long_runs = [row for row in rows if row["name"] == LONG_RUN]
    parts = {
        "table": _table(faults),
        "refusals": _refusals(faults),
        "totals": _totals(faults),
        "long_run": _long_run(long_runs),
        "machine": _machine(rows),
    }
    text = template
    for name, value in parts.items():
        text = text.replace(f"<!-- {name} -->", value)
    return text


def _table(rows: Iterable[dict[str, Any]]) -> str:
    return "\n".join([*_HEADER, *(_line(row) for row in rows)])


def _line(row: dict[str, Any]) -> str:
    cells = [
        row["fault"],
        row["happened"],
        f"{row['at_risk']:,}",
        f"{row['lost']:,}",
        f"{row['duplicated']:,}",
        _seconds(row["healthy_after"]),
        _seconds(row["first_report_after"]),
    ]
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.0f} s"


def _refusals(rows: Iterable[dict[str, Any]]) -> str:
    lines = [f"| {_cell(row['fault'])} | {_cell(text)} |" for row in rows for text in row["refused"]]
    return "\n".join([*_REFUSED_HEADER, *lines])


def _totals(rows: Sequence[dict[str, Any]]) -> str:
    events, lost, twice = (sum(row[name] for row in rows) for name in ("at_risk", "lost", "duplicated"))
    bad = [row["fault"] for row in rows if not row["passed"]]
    verdict = f"Not passed: {'; '.join(bad)}." if bad else "All of them passed."
    return f"{len(rows)} faults, {events:,} events at risk, {lost:,} lost, {twice:,} counted twice. {verdict}"


def _long_run(rows: Sequence[dict[str, Any]]) -> str:
    if not rows:
        return "It has not been run yet."
    row = rows[-1]
    verdict = "`reconcile` adds up" if row["passed"] else f"it does not add up: {'; '.join(row['problems'])}"
    return (
        f"{row['fault']}: {row['happened']}. Of {row['at_risk']:,} events {row['lost']:,} were lost and "
        f"{row['duplicated']:,} counted twice; {verdict}."
    )


def _machine(rows: Sequence[dict[str, Any]]) -> str:
    """On what and when: the newest row's machine, the days of all."""
    if not rows:
        return "Nothing has been measured yet."
    newest = max(rows, key=lambda row: str(row["began"]))
    days = sorted({str(row["began"])[:10] for row in rows})
    span = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    machine = newest["machine"]
    named = ", ".join(str(machine[name]) for name in ("processor", "memory", "system") if name in machine)
    return f"Measured {span} on: {machine.get('cores', '?')} cores, {named}, Python {machine.get('python', '?')}."


def write_document(file: Path, order: Iterable[str]) -> None:
    """Bring the rows of a run into `docs/` and make the document of them; older rows of other scenarios stay."""
    rows = {row["name"]: row for source in (ROWS, file) for row in results.newest(source)}
    places = {name: place for place, name in enumerate(order)}
    chosen = sorted(rows.values(), key=lambda row: places.get(row["name"], len(places)))
    results.write(ROWS, chosen)
    DOCUMENT.write_text(render(TEMPLATE.read_text(encoding="utf-8"), chosen), encoding="utf-8")


def main() -> int:
    from tests.faults.catalogue import BY_NAME

    file = Path(sys.argv[1]) if len(sys.argv) > 1 else results.RESULTS
    if not file.is_file() and not ROWS.is_file():
        print(f"error: there are no results in {file}: run `clickpulse test faults` first", file=sys.stderr)  # noqa: T201
        return 1
    write_document(file, BY_NAME)
    return 0


if __name__ == "__main__":
    sys.exit(main())
