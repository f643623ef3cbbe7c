"""How long things are kept, and whether these times fit together."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from pydantic import Field, model_validator

from clickpulse.errors import ConfigurationError
from clickpulse.retention.plan import Rules
from clickpulse.settings import ClickHouseSettings, ReportSettings
from clickpulse.windows import MINUTE

_MINUTES_A_DAY = 1440


class RetentionSettings(ReportSettings):
    """Days after an object or a report was written; those that others build on, in minutes, are the report's own."""

    minutes_retention_days: int = Field(
        30, ge=1, description="events, baseline and manifest of a minute, in S3: a report can be made again for so long"
    )
    old_revisions_retention_days: int = Field(
        7, ge=1, description="objects of a revision, in S3, from when a later one took its place"
    )
    reports_retention_days: int = Field(400, ge=1, description="report.json in S3, and the report in the report API")
    airflow_logs_retention_days: int = Field(14, ge=1, description="the tasks' logs")
    retention_max_objects: int = Field(200_000, ge=1, description="deleted by one run at most; the next one goes on")

    @property
    def needed_minutes(self) -> int:
        """How far back from now reports are made, filled and revised, and what they are compared with."""
        return max(self.horizon_minutes, self.lookback_minutes) + max(self.baseline_minutes, self.duplicate_minutes)

    def rules(self) -> Rules:
        return Rules(
            minutes=timedelta(days=self.minutes_retention_days),
            old_revisions=timedelta(days=self.old_revisions_retention_days),
            reports=timedelta(days=self.reports_retention_days),
            protected=self.needed_minutes * MINUTE,
        )

    def check_events(self, clickhouse: ClickHouseSettings) -> None:
        """See that ClickHouse keeps events at least as long as revisions are made of them.

        Raises:
            ConfigurationError: it doesn't.
        """
        if clickhouse.event_ttl_days * _MINUTES_A_DAY < self.needed_minutes:
            raise ConfigurationError(
                f"CLICKHOUSE_EVENT_TTL_DAYS={clickhouse.event_ttl_days} is shorter than the {self.needed_minutes} min "
                f"for which reports are made of events ({_NEEDS}): raise it or lower those"
            )

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.minutes_retention_days * _MINUTES_A_DAY < self.needed_minutes:
            raise ValueError(
                f"REPORT_MINUTES_RETENTION_DAYS={self.minutes_retention_days} is shorter than the "
                f"{self.needed_minutes} min for which reports are made and revised ({_NEEDS}): raise it or lower those"
            )
        for days in ("minutes_retention_days", "old_revisions_retention_days"):
            if getattr(self, days) > self.reports_retention_days:
                raise ValueError(
                    f"REPORT_{days.upper()}={getattr(self, days)} is longer than "
                    f"REPORT_REPORTS_RETENTION_DAYS={self.reports_retention_days}: it would keep the files of reports "
                    "that are gone"
                )
        return self


_NEEDS = (
    "the longer of REPORT_HORIZON_MINUTES and REPORT_LOOKBACK_MINUTES, and the longer of REPORT_BASELINE_MINUTES and "
    "REPORT_DUPLICATE_MINUTES before it"
)
