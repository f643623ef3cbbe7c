"""`docs/reliability.md` was not written by hand, and what it shows is what was promised."""

from __future__ import annotations

from tests.faults import results, table


def test_the_document_is_what_the_kept_rows_give() -> None:
    rows = results.newest(table.ROWS)
    assert rows, "docs/reliability.jsonl has no rows: `clickpulse test faults --write-docs`"
    assert table.DOCUMENT.read_text(encoding="utf-8") == table.render(table.TEMPLATE.read_text(encoding="utf-8"), rows)
    assert "<!--" not in table.DOCUMENT.read_text(encoding="utf-8")


def test_nothing_was_lost_and_nothing_counted_twice_in_what_is_shown() -> None:
    for row in results.newest(table.ROWS):
        assert (row["lost"], row["duplicated"], row["passed"]) == (0, 0, True), row["fault"]
