"""Write `docs/report.schema.json` from the report's model: `python -m spark.schema_file`."""

from __future__ import annotations

import json
from pathlib import Path

from clickpulse.reports import report_json_schema
from clickpulse.settings import PROJECT_ROOT

SCHEMA_FILE = PROJECT_ROOT / "docs" / "report.schema.json"


def schema_text() -> str:
    """The published JSON Schema, as it stands in the file."""
    return json.dumps(report_json_schema(), indent=2, ensure_ascii=False) + "\n"


def write_schema(path: Path = SCHEMA_FILE) -> None:
    """Write the schema to `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(schema_text())


if __name__ == "__main__":
    write_schema()
