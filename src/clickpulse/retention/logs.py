"""Airflow's logs, which nothing else takes away: a folder for each run, `dag_id=…/run_id=…`, and one for each day of
the DAG processor's.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

_FOLDERS = ("dag_id=*/run_id=*", "*/[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]")


def expired_logs(folder: Path, before: datetime) -> Iterator[Path]:
    """Folders in which nothing was written since `before` (aware)."""
    limit = before.timestamp()
    for pattern in _FOLDERS:
        for found in folder.glob(pattern):
            if found.is_dir() and not found.is_symlink() and _newest(found) < limit:
                yield found


def remove_logs(folder: Path, before: datetime) -> int:
    """Delete these folders; how many there were. Harmless to repeat, and beside a run that writes."""
    removed = 0
    for found in list(expired_logs(folder, before)):
        shutil.rmtree(found, ignore_errors=True)  # another worker may be deleting it as well
        removed += 1
    return removed


def _newest(folder: Path) -> float:
    """When something below was last written, seconds since the epoch."""
    newest = 0.0
    for path in (folder, *folder.rglob("*")):
        try:
            newest = max(newest, path.lstat().st_mtime)
        except FileNotFoundError:  # deleted while we look
            continue
    return newest
