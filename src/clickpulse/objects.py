"""Names of the objects in the bucket; any lake engine can read them (Hive-style partitions).

`minutes/date=2026-11-22/hour=10/minute=05/rev=0/{events,baseline}.parquet`, `…/manifest.json`,
`reports/date=2026-11-22/hour=10/minute=05/rev=0/report.json`.
"""

from __future__ import annotations

from dataclasses import dataclass

from clickpulse.windows import MinuteWindow


@dataclass(frozen=True)
class WindowObjects:
    """The keys, inside the bucket, of one revision of one window."""

    window: MinuteWindow
    revision: int = 0

    def _under(self, kind: str) -> str:
        return f"{kind}/{self.window.start:date=%Y-%m-%d/hour=%H/minute=%M}/rev={self.revision}"

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
