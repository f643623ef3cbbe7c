"""The rows become a table that reads well and hides nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.faults import results, table

TEMPLATE = "<!-- machine -->\n<!-- totals -->\n<!-- table -->\n<!-- refusals -->\n<!-- long_run -->\n"


def a_row(name: str = "kill-sink", **changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": name, "fault": f"`kill -9` of {name}", "happened": "started again", "began": "2026-11-22T10:05:00Z",
        "at_risk": 12_345, "lost": 0, "duplicated": 0, "healthy_after": 3.2, "first_report_after": 41.0,
        "all_reports_after": 41.0, "windows": {}, "reconciled": {}, "refused": [], "problems": [], "passed": True,
        "machine": {"cores": "2", "processor": "AMD EPYC", "memory": "24 GiB", "system": "Linux", "python": "3.11.7"},
    }  # fmt: skip
    return row | changes


def test_a_row_is_a_line_of_the_table() -> None:
    text = table.render(TEMPLATE, [a_row()])
    assert "| `kill -9` of kill-sink | started again | 12,345 | 0 | 0 | 3 s | 41 s |" in text
    assert "1 faults, 12,345 events at risk, 0 lost, 0 counted twice. All of them passed." in text
    assert "Measured 2026-11-22 on: 2 cores, AMD EPYC, 24 GiB, Linux, Python 3.11.7." in text


def test_what_went_wrong_is_not_hidden() -> None:
    rows = [a_row(), a_row("kill-kafka", lost=3, passed=False, healthy_after=None, began="2026-11-23T01:00:00Z")]
    text = table.render(TEMPLATE, rows)
    assert "24,690 events at risk, 3 lost, 0 counted twice. Not passed: `kill -9` of kill-kafka." in text
    assert "| 12,345 | 3 | 0 | never | 41 s |" in text
    assert "2026-11-22 to 2026-11-23" in text


def test_refusals_are_listed_and_a_bar_or_a_line_break_does_not_break_the_table() -> None:
    text = table.render(TEMPLATE, [a_row("garbage", refused=["null-value: a | b\nsecond line"])])
    assert "| `kill -9` of garbage | null-value: a \\| b second line |" in text


def test_the_long_run_is_told_apart() -> None:
    long = a_row(
        table.LONG_RUN, fault="60 minutes at 500 events/s with seed 7", happened="29 faults", at_risk=1_800_000
    )
    text = table.render(TEMPLATE, [a_row(), long])
    assert "1 faults, 12,345" in text
    assert "seed 7: 29 faults. Of 1,800,000 events 0 were lost and 0 counted twice; `reconcile` adds up." in text
    assert "It has not been run yet." in table.render(TEMPLATE, [a_row()])


def test_the_newest_row_of_a_scenario_counts_in_the_catalogues_order(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "results.jsonl"
    for row in (a_row("b"), a_row("a", passed=False), a_row("b", at_risk=2), a_row("odd")):
        results.append(file, row)
    assert [(row["name"], row["at_risk"]) for row in results.newest(file, ["a", "b"])] == [
        ("a", 12_345), ("b", 2), ("odd", 12_345),
    ]  # fmt: skip
    assert results.passed(file, "b")
    assert not results.passed(file, "a")
    assert not results.passed(file, "never run")


def test_a_new_run_replaces_its_own_rows_and_keeps_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "DOCUMENT", tmp_path / "reliability.md")
    monkeypatch.setattr(table, "ROWS", tmp_path / "reliability.jsonl")
    file = tmp_path / "results.jsonl"
    results.append(file, a_row("a"))
    results.append(file, a_row("b"))
    table.write_document(file, ["a", "b"])
    other = tmp_path / "other.jsonl"
    results.append(other, a_row("b", at_risk=99))
    table.write_document(other, ["a", "b"])
    assert [row["at_risk"] for row in results.newest(table.ROWS)] == [12_345, 99]
    assert "| 99 |" in table.DOCUMENT.read_text()
