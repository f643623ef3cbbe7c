"""The page itself, run by Streamlit's own test harness over the real API in memory."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import streamlit as st
from fastapi.testclient import TestClient
from streamlit.testing.v1 import AppTest

import dashboard_ui
from clickpulse.reports import Report
from dashboard_api.app import create_app
from dashboard_api.memory import MemoryReports
from dashboard_api.settings import ReportApiSettings
from dashboard_ui import data
from dashboard_ui.services import Answer

PAGE = str(Path(dashboard_ui.__file__).parent / "app.py")
HEALTHY = {
    "sink": Answer(200, {"lag_total": 0}),
    "airflow": Answer(200, {"scheduler": {"status": "healthy"}}),
}


class FakeHealth:
    """The health pages at the edge of the page."""

    def __init__(self, *_: object) -> None:
        pass

    def answers(self) -> dict[str, Answer]:
        return HEALTHY


@pytest.fixture
def repository(monkeypatch) -> MemoryReports:
    kept = MemoryReports()
    app = create_app(ReportApiSettings(write_token="t", database_url="postgresql://none"), kept)
    monkeypatch.setattr(data, "reports_client", lambda _: TestClient(app))
    monkeypatch.setattr(data, "HealthSource", FakeHealth)
    st.cache_resource.clear()
    yield kept
    st.cache_resource.clear()


def run(**session: str) -> AppTest:
    page = AppTest.from_file(PAGE, default_timeout=30)
    for name, value in session.items():
        page.session_state[name] = value
    page.run()
    assert not page.exception, page.exception
    return page


def text(page: AppTest) -> str:
    return "".join(element.proto.body for element in page.get("html"))


def cells(page: AppTest) -> dict[tuple[str, str], str]:
    """The table's figures by event type and field."""
    found = {}
    for row in re.findall(r'<tr data-event-type="(\w+)">(.*?)</tr>', text(page), re.DOTALL):
        for field, content in re.findall(r'<td[^>]*data-field="(\w+)">(.*?)</td>', row[1], re.DOTALL):
            found[row[0], field] = re.sub(r"<[^>]+>", "", content)
    return found


def add(repository: MemoryReports, *reports) -> None:
    for report in reports:
        repository.add(Report.model_validate(report.model_dump(exclude={"received_at", "freshness_seconds"})))


def recent(stored, back: int = 0, **members):
    """A report of the last whole minute, or of `back` minutes before."""
    window = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=1 + back)
    end = window + timedelta(minutes=1)
    return stored(0, **members).model_copy(update={"window": window, "window_end": end})


def test_the_tables_figures_are_the_latest_reports(repository, stored):
    counts = {"SEARCH": 1111, "VIEW_PRODUCT": 2222, "ADD_TO_CART": 333, "CHECKOUT": 44, "PAYMENT": 5}
    add(repository, recent(stored, 1), recent(stored, 0, events=counts, errors={"SEARCH": 11}))

    shown = cells(run())

    assert {event_type: shown[event_type, "events"] for event_type in counts} == {
        "SEARCH": "1,111",
        "VIEW_PRODUCT": "2,222",
        "ADD_TO_CART": "333",
        "CHECKOUT": "44",
        "PAYMENT": "5",
    }
    assert shown["ALL", "events"] == f"{sum(counts.values()):,}"
    assert shown["SEARCH", "error_rate"] == "0.99%"


@pytest.mark.usefixtures("repository")
def test_without_reports_the_page_says_what_to_expect():
    assert 'data-notice="no-reports"' in text(run())


@pytest.mark.usefixtures("repository")
def test_with_the_api_down_the_page_says_so(monkeypatch):
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("Connection refused", request=request)

    down = httpx.Client(base_url="http://127.0.0.1:9", transport=httpx.MockTransport(refuse))
    monkeypatch.setattr(data, "reports_client", lambda _: down)

    shown = text(run())

    assert 'data-notice="api-down"' in shown
    assert 'role="alert"' in shown


def test_old_figures_are_told(repository, stored):
    add(repository, recent(stored, 30))

    assert 'data-notice="stale"' in text(run())


def test_a_picked_minute_is_shown(repository, stored):
    older, newer = recent(stored, 7, events={"SEARCH": 7}), recent(stored, 0)
    add(repository, older, newer)

    page = run(minute=f"{older.window:%Y-%m-%dT%H:%MZ}")

    assert cells(page)["SEARCH", "events"] == "7"
    assert 'data-notice="earlier"' in text(page)


def test_a_minute_that_can_not_be_read_is_explained(repository, stored):
    add(repository, recent(stored))

    page = run(minute="banana")

    assert any("banana" in caption.value for caption in page.caption)
    assert cells(page)


def test_every_measure_can_be_charted(repository, stored):
    add(repository, recent(stored, 1), recent(stored))
    page = run()

    assert [control.options for control in page.segmented_control] == [
        ["Error rate", "Success rate"],
        ["p50", "p95", "p99"],
        ["Events", "Errors"],
    ]
    for place, control in enumerate(page.segmented_control):
        for option in control.options:
            page.segmented_control[place].set_value(option).run()
            assert not page.exception
            assert page.segmented_control[place].value == option


@pytest.mark.usefixtures("repository")
def test_a_wrong_setting_is_named(monkeypatch):
    monkeypatch.setenv("DASHBOARD_REFRESH_SECONDS", "soon")

    page = AppTest.from_file(PAGE, default_timeout=30).run()

    assert "DASHBOARD_REFRESH_SECONDS" in page.error[0].value
