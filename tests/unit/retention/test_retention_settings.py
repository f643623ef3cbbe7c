"""Times that don't fit together are refused, with the variable and the remedy."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from clickpulse.errors import ConfigurationError
from clickpulse.retention.settings import RetentionSettings
from clickpulse.settings import ClickHouseSettings


def test_the_committed_settings_fit_together() -> None:
    settings = RetentionSettings.load()

    assert settings.rules().protected >= timedelta(minutes=settings.horizon_minutes + settings.baseline_minutes)
    settings.check_events(ClickHouseSettings(password="p", reader_password="p"))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"minutes_retention_days": 1}, "REPORT_MINUTES_RETENTION_DAYS=1 is shorter than the 1500 min"),
        ({"minutes_retention_days": 5, "horizon_minutes": 10_080}, "REPORT_HORIZON_MINUTES"),
        ({"minutes_retention_days": 401}, "REPORT_MINUTES_RETENTION_DAYS=401 is longer than REPORT_REPORTS"),
        ({"old_revisions_retention_days": 401}, "REPORT_OLD_REVISIONS_RETENTION_DAYS=401 is longer"),
        ({"reports_retention_days": 0}, "greater than or equal to 1"),
    ],
)
def test_times_that_do_not_fit_together_are_refused(given: dict[str, int], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        RetentionSettings(**given)


def test_what_is_refused_at_the_start_names_the_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLICKPULSE_HOME", str(tmp_path))
    monkeypatch.setenv("REPORT_MINUTES_RETENTION_DAYS", "1")

    with pytest.raises(ConfigurationError, match=r"REPORT_MINUTES_RETENTION_DAYS=1 .*raise it or lower those"):
        RetentionSettings.load()


def test_events_have_to_be_kept_as_long_as_revisions_are_made_of_them() -> None:
    settings = RetentionSettings(lookback_minutes=10_080, minutes_retention_days=30)

    settings.check_events(ClickHouseSettings(password="p", reader_password="p", event_ttl_days=8))
    with pytest.raises(ConfigurationError, match="CLICKHOUSE_EVENT_TTL_DAYS=7 is shorter than the 10140 min"):
        settings.check_events(ClickHouseSettings(password="p", reader_password="p", event_ttl_days=7))
