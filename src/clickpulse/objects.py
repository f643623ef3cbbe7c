"""Names of the objects in the bucket; any lake engine can read them (Hive-style partitions).

`minutes/date=2026-11-22/hour=10/minute=05/rev=0/{events,baseline}.parquet`, `…/manifest.json`,
`reports/date=2026-11-22/hour=10/minute=05/rev=0/report.json`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from clickpulse.windows import MinuteWindow

_KEY = re.compile(r"(?:minutes|reports)/date=(\d{4}-\d\d-\d\d)/hour=(\d\d)/minute=(\d\d)/rev=(\d{1,9})/[^/]+")


@dataclass(frozen=True)
class WindowObjects:
    """The keys, inside the bucket, of one revision of one window."""

    window: MinuteWindow
    revision: int = 0

    def _under(self, kind: str) -> str:
        return f"{kind}/{self.window.start:date=%Y-%m-%d/hour=%H/minute=%M}/rev={self.revision}"

    @classmethod
    def locate(cls, key: str) -> Self | None:
        """The window and the revision that an object belongs to; None where its name is not one of these."""
        if (found := _KEY.fullmatch(key)) is None:
            return None
        date, hour, minute, revision = found.groups()
        try:
            start = datetime.strptime(f"{date} {hour}:{minute}", "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
        except ValueError:
            return None
        return cls(MinuteWindow(start), int(revision))

    @property
    def events(self) -> str:
        return f"{self._under('minutes')}/events.parquet"

    @property
    def baseline(self) -> str:
        return f"{self._under('minutes')}/baseline.parquet"

    @property
    def manifest(self) -> str:
        """Written once, before the export: what the revision is cut off at."""
        return f"{self._under('minutes')}/manifest.json"

    @property
    def report(self) -> str:
        return f"{self._under('reports')}/report.json"
