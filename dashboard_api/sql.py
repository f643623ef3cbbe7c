"""The service's SQL, read from `queries/`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
MIGRATIONS = FOLDER / "migrations"


@cache
def query(name: str) -> str:
    """The text of `queries/<name>.sql`; its parameters are written `%(name)s`."""
    return (FOLDER / "queries" / f"{name}.sql").read_text(encoding="utf-8")
