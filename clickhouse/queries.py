"""The SQL of `clickhouse/queries/`, by name."""

from __future__ import annotations

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).with_name("queries")


@cache
def load(name: str) -> str:
    """The text of `queries/<name>.sql`; values go in as `{name:Type}` parameters."""
    return (FOLDER / f"{name}.sql").read_text(encoding="utf-8")
