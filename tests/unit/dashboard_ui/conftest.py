"""Stored reports with figures that a test chooses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clickpulse.accounting.record import AccountedMinute, Finding
from clickpulse.events import EventType
from clickpulse.stored_reports import StoredReport
from tests.support import forget_settings

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the page listens is a test's own matter, also in a container that has settings for others."""
    forget_settings(monkeypatch, "DASHBOARD_")


def stats(events: int, errors: int = 0, p95: float = 200.0) -> dict[str, Any]:
    latency = {"mean": 90, "p50": 80, "p90": 150, "p95": p95, "p99": 400, "max": 900}
    return {
        "events": events,
        "successes": events - errors,
        "errors": errors,
        "success_rate": (events - errors) / events if events else None,
        "error_rate": errors / events if events else None,
        "error_codes": {"503": errors} if errors else {},
        "latency_ms": latency if events else None,
    }


def anomaly(event_type: str, severity: str = "critical", metric: str = "error_rate") -> dict[str, Any]:
    return {
        "event_type": event_type,
        "metric": metric,
        "direction": "high",
        "severity": severity,
        "value": 0.125,
        "expected": 0.01,
        "lower": None,
        "upper": 0.02,
        "score": 9.5,
        "message": f"{event_type}: <b>too high</b>",
    }


@pytest.fixture
def stored() -> Callable[..., StoredReport]:
    """A report of the minute `10:00 + minute`; `events` and `errors` are by event type."""

    def make(
        minute: int = 0,
        *,
        events: dict[str, int] | None = None,
        errors: dict[str, int] | None = None,
        anomalies: list[dict[str, Any]] | None = None,
        complete: bool = True,
        revision: int = 0,
        p95: float = 200.0,
        baseline: int = 60,
        **members: Any,
    ) -> StoredReport:
        window = START + timedelta(minutes=minute)
        end = window + timedelta(minutes=1)
        counts = {event_type.value: (events or {}).get(event_type.value, 100) for event_type in EventType}
        wrong = {name: (errors or {}).get(name, 0) for name in counts}
        return StoredReport.model_validate(
            {
                "window": window,
                "window_end": end,
                "revision": revision,
                "complete": complete,
                "completeness": {"complete": complete, "reason": "all is there" if complete else "partition 3 lags"},
                "totals": stats(sum(counts.values()), sum(wrong.values()), p95) | {"users": 40, "sessions": 50},
                "by_event_type": {name: stats(counts[name], wrong[name], p95) for name in counts},
                "anomalies": anomalies or [],
                "detector": {"name": "t", "version": "1", "parameters": {}, "baseline_minutes": baseline},
                "inputs": {"events": "e", "baseline": "b", "rows": 1},
                "received_at": end + timedelta(seconds=2.5),
                "freshness_seconds": 2.5,
            }
            | members
        )

    return make


@pytest.fixture
def make_anomaly() -> Callable[..., dict[str, Any]]:
    return anomaly


@pytest.fixture
def make_account() -> Callable[..., AccountedMinute]:
    """The account of the minute `10:00 + minute`; all messages not given to another group were reported."""

    def make(minute: int = 0, acknowledged: int = 100, *, problem: str | None = None, **groups: int) -> AccountedMinute:
        elsewhere = sum(count for name, count in groups.items() if name != "unexpected")
        found = [Finding(kind=problem, partition=0, offsets=[(1, 1)], detail="<b>")] if problem else []
        return AccountedMinute(
            window=START + timedelta(minutes=minute),
            revision=0,
            complete=True,
            acknowledged=acknowledged,
            reported=acknowledged - elsewhere,
            problems=found,
            checked_at=START + timedelta(minutes=minute + 5),
            **groups,
        )

    return make
