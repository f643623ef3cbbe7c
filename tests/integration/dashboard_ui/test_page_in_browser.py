"""The page in a real browser, its figures against the posted reports."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect, sync_playwright

from clickpulse.reports import Report
from clickpulse.settings import PROJECT_ROOT
from clickpulse.windows import MINUTE, MinuteWindow
from dashboard_api.app import create_app
from dashboard_api.example_report import EXAMPLE_REPORT
from dashboard_api.memory import MemoryReports
from dashboard_api.settings import ReportApiSettings
from tests.support import free_port, wait_for

BROWSER_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
FIELDS = ("events", "success_rate", "error_rate", "p50", "p95", "p99", "codes")


class Api:
    """The report API on a port of its own; it can go away and come back with its reports."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.reports = MemoryReports()
        self.start()

    def start(self) -> None:
        settings = ReportApiSettings(write_token="t", database_url="postgresql://none", url=self.url, port=self.port)
        config = uvicorn.Config(create_app(settings, self.reports), port=self.port, log_level="error", access_log=False)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        wait_for(lambda: self._server.started, seconds=15, what="the report API")

    def stop(self) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(15)
        assert not self._thread.is_alive()


@pytest.fixture
def api() -> Iterator[Api]:
    started = Api()
    yield started
    started.stop()


@pytest.fixture
def dashboard(api: Api, tmp_path: Path) -> Iterator[str]:
    """The page's address, served as `python -m dashboard_ui` serves it."""
    port = free_port()
    log = tmp_path / "dashboard.log"
    environment = {
        "REPORT_API_URL": api.url,
        "REPORT_API_READ_TOKEN": "t",
        "DASHBOARD_PORT": str(port),
        "DASHBOARD_REFRESH_SECONDS": "0.5",
        "DASHBOARD_SINK_HEALTH_URL": f"http://127.0.0.1:{free_port()}",
        "DASHBOARD_AIRFLOW_URL": f"http://127.0.0.1:{free_port()}",
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "dashboard_ui"],
            cwd=PROJECT_ROOT,
            env=os.environ | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{port}"

    def serves() -> bool:
        assert process.poll() is None, log.read_text()
        with suppress(httpx.TransportError):
            return httpx.get(f"{url}/_stcore/health").status_code == 200
        return False

    wait_for(serves, seconds=60, what=f"the page; its log is {log}")
    yield url
    process.terminate()
    process.wait(15)


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=BROWSER_FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="light")
    context.set_default_timeout(30_000)
    yield context.new_page()
    context.close()


@pytest.fixture
def post(api: Api) -> Callable[..., Report]:
    """Post the example report as that of the minute `back` minutes before the last whole one."""

    def posted(back: int = 0, **members: Any) -> Report:
        end = datetime.now(UTC).replace(second=0, microsecond=0) - back * MINUTE
        window = {"window": end - MINUTE, "window_end": end, "timings": None, "anomalies": []}
        report = Report.model_validate(EXAMPLE_REPORT | window | members)
        api.reports.add(report)
        return report

    return posted


def shown_table(page: Page) -> dict[str, dict[str, str]]:
    """The table of event types as the browser shows it, once it is there: the page arrives piece by piece."""
    rows = page.locator("table.types tr[data-event-type]")
    expect(rows.first).to_be_visible()
    return {
        str(row.get_attribute("data-event-type")): {
            field: row.locator(f'td[data-field="{field}"]').inner_text().strip() for field in FIELDS
        }
        for row in rows.all()
    }


def expected_row(stats: dict[str, Any]) -> dict[str, str]:
    """The cells of the posted figures, written out independently of the page's own formats."""
    codes = sorted(stats["error_codes"].items(), key=lambda item: (-item[1], item[0]))
    latency = stats["latency_ms"]
    return {
        "events": format(stats["events"], ","),
        "success_rate": f"{100 * stats['success_rate']:.2f}%",
        "error_rate": f"{100 * stats['error_rate']:.2f}%",
        "p50": f"{round(latency['p50']):,} ms",
        "p95": f"{round(latency['p95']):,} ms",
        "p99": f"{round(latency['p99']):,} ms",
        "codes": ", ".join(f"{code}: {count}" for code, count in codes) or "\N{EN DASH}",
    }


def window_of(report: Report) -> str:
    return str(MinuteWindow(report.window))


def test_the_figures_shown_are_the_posted_ones(page, dashboard, post):
    report = post()

    page.goto(dashboard)
    expect(page.locator("[data-window]")).to_have_attribute("data-window", window_of(report))

    figures = report.model_dump(mode="json")
    expected = {name: expected_row(stats) for name, stats in figures["by_event_type"].items()}
    assert shown_table(page) == expected | {"ALL": expected_row(figures["totals"])}
    charts = page.locator("[data-testid=stVegaLiteChart]")
    expect(charts).to_have_count(3)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_new_minute_and_an_anomaly_appear_by_themselves(page, dashboard, post):
    first = post(back=1)
    page.goto(dashboard)
    expect(page.locator("[data-window]")).to_have_attribute("data-window", window_of(first))

    second = post(anomalies=EXAMPLE_REPORT["anomalies"])

    expect(page.locator("[data-window]")).to_have_attribute("data-window", window_of(second), timeout=10_000)
    expect(page.locator(".hero h2")).to_contain_text("Payment is out of the ordinary")
    expect(page.locator(".finding")).to_contain_text(["Payment: error rate too high"])


def test_an_outage_of_the_api_is_told_and_ends_by_itself(page, dashboard, api, post):
    report = post()
    page.goto(dashboard)
    expect(page.locator("[data-window]")).to_have_attribute("data-window", window_of(report))
    before = shown_table(page)

    api.stop()
    expect(page.locator('[data-notice="api-down"]')).to_be_visible(timeout=15_000)
    assert shown_table(page) == before

    api.start()
    expect(page.locator('[data-notice="api-down"]')).to_have_count(0, timeout=15_000)


def test_an_earlier_minute_can_be_picked_and_linked_to(page, dashboard, post):
    older, newer = post(back=3), post()
    page.goto(dashboard)
    expect(page.locator("[data-window]")).to_have_attribute("data-window", window_of(newer))

    field = page.locator("[data-testid=stSelectbox] input")
    field.click()
    page.get_by_role("option", name=window_of(older)).click()

    expect(page.locator("[data-window]")).to_have_attribute("data-window", window_of(older))
    expect(page.locator('[data-notice="earlier"]')).to_be_visible()
    page.goto(page.url)
    expect(page.locator("[data-window]")).to_have_attribute("data-window", window_of(older))
    expect(page.locator("a.cell[aria-current]")).to_have_attribute("href", f"?minute={window_of(older)}")


def test_without_reports_and_services_the_page_says_so(page, dashboard):
    page.goto(dashboard)

    expect(page.locator('[data-notice="no-reports"]')).to_be_visible()
    expect(page.locator('[data-notice="service"]')).to_have_count(2, timeout=15_000)
    assert "clickpulse status" in page.locator('[data-notice="service"]').first.inner_text()


def test_a_narrow_window_needs_no_sideways_scrolling(browser, dashboard, post):
    post(anomalies=EXAMPLE_REPORT["anomalies"])
    context = browser.new_context(viewport={"width": 480, "height": 900}, color_scheme="dark")
    page = context.new_page()
    page.goto(dashboard)
    expect(page.locator(".finding")).to_be_visible(timeout=30_000)

    widths = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    background = page.evaluate("getComputedStyle(document.querySelector('.cp .hero')).backgroundColor")
    context.close()

    assert widths[0] <= widths[1]
    assert background == "rgb(23, 32, 42)", "the dark theme's surface"


def test_what_ended_long_ago_is_called_old(page, dashboard, post):
    post(back=30)

    page.goto(dashboard)

    expect(page.locator('[data-notice="stale"]')).to_be_visible()
    expect(page.locator(".hero h2")).to_contain_text("Last known")
    age = page.locator(".title span").inner_text()
    assert timedelta(minutes=30) < timedelta(minutes=int(age.split(" ended ")[1].split(" min")[0]), seconds=59)
