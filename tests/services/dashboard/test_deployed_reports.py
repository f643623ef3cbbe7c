"""The report API and the page as they are deployed: only their addresses and tokens are known here."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from clickpulse.clients import report_reader, report_writer
from clickpulse.settings import DashboardSettings, ReportReaderSettings, ReportWriterSettings
from clickpulse.windows import MinuteWindow
from dashboard_api.example_report import EXAMPLE_REPORT

REPORTS = "/api/v1/reports"


@pytest.fixture
def reader(stack: Path) -> Iterator[httpx.Client]:
    del stack
    with report_reader(ReportReaderSettings.load()) as client:
        yield client


@pytest.fixture
def writer(stack: Path) -> Iterator[httpx.Client]:
    del stack
    with report_writer(ReportWriterSettings.load()) as client:
        yield client


@pytest.fixture
def report() -> dict[str, Any]:
    """A report of a minute long ago that no other test uses."""
    start = datetime(1975, 1, 1, tzinfo=UTC) + timedelta(minutes=random.SystemRandom().randrange(5_000_000))
    window = MinuteWindow(start)
    return EXAMPLE_REPORT | {
        "window": window.start.isoformat().replace("+00:00", "Z"),
        "window_end": window.end.isoformat().replace("+00:00", "Z"),
        "revision": 0,
    }


def minute(report: dict[str, Any]) -> str:
    return str(MinuteWindow(datetime.fromisoformat(report["window"])))


def test_a_posted_report_is_read_back_and_stays(
    writer: httpx.Client, reader: httpx.Client, report: dict[str, Any]
) -> None:
    assert writer.post(REPORTS, json=report).status_code == 201
    found = reader.get(f"{REPORTS}/{minute(report)}")
    assert (found.status_code, found.json()["totals"]) == (200, report["totals"])

    assert writer.post(REPORTS, json=report).status_code == 200
    other = report | {"totals": report["totals"] | {"users": report["totals"]["users"] + 1}}
    assert writer.post(REPORTS, json=other).status_code == 409
    assert reader.get(f"{REPORTS}/{minute(report)}").json()["totals"] == report["totals"]


def test_whoever_may_only_read_can_not_post(reader: httpx.Client, report: dict[str, Any]) -> None:
    assert reader.post(REPORTS, json=report).status_code == 403
    assert httpx.post(f"{reader.base_url}{REPORTS[1:]}", json=report).status_code == 401
    assert reader.get(f"{REPORTS}/{minute(report)}").status_code == 404


def test_the_page_is_served(stack: Path) -> None:
    del stack
    settings = DashboardSettings.load()
    page = f"http://{settings.host}:{settings.port}"
    assert httpx.get(f"{page}/_stcore/health").text == "ok"
    assert "streamlit" in httpx.get(page, follow_redirects=True).text.lower()
