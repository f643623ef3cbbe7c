"""The page behind a login, in a real browser, with an OpenID provider: who sees what, and for how long."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil
import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect, sync_playwright

from clickpulse.reports import Report
from clickpulse.settings import PROJECT_ROOT
from clickpulse.windows import MINUTE
from dashboard_api.app import create_app
from dashboard_api.example_report import EXAMPLE_REPORT
from dashboard_api.memory import MemoryReports
from dashboard_api.settings import ReportApiSettings
from tests.integration.dashboard_ui.oidc_provider import CLIENT_ID, CLIENT_SECRET, Provider
from tests.support import free_port, wait_for

BROWSER_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
COOKIE_SECRET = "signs-the-cookies-of-this-test"
ADA = {"sub": "1", "email": "Ada@Example.org", "email_verified": True}
EVE = {"sub": "2", "email": "eve@elsewhere.net", "email_verified": True}


class Dashboard:
    """`python -m dashboard_ui` with a login; its temporary files are in a folder of its own."""

    def __init__(self, folder: Path, api_url: str, provider: Provider) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.log = folder / "page.log"
        environment = {
            "TMPDIR": str(self.temporary),
            "CLICKPULSE_CREDS_DIR": str(folder),
            "REPORT_API_URL": api_url,
            "REPORT_API_READ_TOKEN": "reader",
            "DASHBOARD_PORT": str(port),
            "DASHBOARD_REFRESH_SECONDS": "0.5",
            "DASHBOARD_SINK_HEALTH_URL": "",
            "DASHBOARD_AIRFLOW_URL": f"http://127.0.0.1:{free_port()}",
            "DASHBOARD_LOGIN": "oidc",
            "DASHBOARD_OIDC_METADATA_URL": provider.metadata_url,
            "DASHBOARD_OIDC_CLIENT_ID": CLIENT_ID,
            "DASHBOARD_OIDC_REDIRECT_URL": f"{self.url}/oauth2callback",
            "DASHBOARD_OIDC_ALLOWED_DOMAINS": "example.org",
        }
        secrets = {"DASHBOARD_OIDC_CLIENT_SECRET": CLIENT_SECRET, "DASHBOARD_OIDC_COOKIE_SECRET": COOKIE_SECRET}
        (folder / "dashboard.creds").write_text("".join(f"{name}='{value}'\n" for name, value in secrets.items()))
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "dashboard_ui"],
                cwd=PROJECT_ROOT,
                env=os.environ | environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        wait_for(self._serves, seconds=60, what=f"the page; its log is {self.log}")

    def _serves(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/_stcore/health").status_code == 200
        return False

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(15)


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    started = Provider()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def api_url() -> Iterator[str]:
    """The report API with closed reads and one report, of the last whole minute."""
    reports, port = MemoryReports(), free_port()
    end = datetime.now(UTC).replace(second=0, microsecond=0)
    window = {"window": end - MINUTE, "window_end": end, "timings": None}
    reports.add(Report.model_validate(EXAMPLE_REPORT | window))
    settings = ReportApiSettings(
        write_token="writer", read_token="reader", open_reads=False, database_url="postgresql://none"
    )
    server = uvicorn.Server(uvicorn.Config(create_app(settings, reports), port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for(lambda: server.started, seconds=15, what="the report API")
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(15)


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory, api_url: str, provider: Provider) -> Iterator[Dashboard]:
    started = Dashboard(tmp_path_factory.mktemp("page"), api_url, provider)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        expect.set_options(timeout=30_000)
        launched = playwright.chromium.launch(executable_path=chromium, args=BROWSER_FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(30_000)
    yield context.new_page()
    context.close()


def gate(page: Page, standing: str) -> None:
    """Expect the closed door, and nothing of the reports behind it."""
    expect(page.locator(f'[data-gate="{standing}"]')).to_be_visible()
    expect(page.locator("[data-window], table.types")).to_have_count(0)
    assert f"{EXAMPLE_REPORT['totals']['events']:,}" not in page.content()


def sign_in(page: Page, dashboard: Dashboard) -> None:
    page.goto(dashboard.url)
    page.get_by_role("button", name="Sign in").click()


def test_who_is_not_signed_in_sees_nothing_but_the_way_in(page, dashboard):
    page.goto(dashboard.url)

    gate(page, "signed out")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_who_is_allowed_sees_the_reports_until_signing_out(page, dashboard, provider):
    provider.user, provider.seconds = ADA, 300

    sign_in(page, dashboard)
    total = page.locator('tr[data-event-type="ALL"] td[data-field="events"]')
    expect(total).to_contain_text(f"{EXAMPLE_REPORT['totals']['events']:,}")
    expect(page.get_by_text("Ada@Example.org")).to_be_visible()
    page.reload()
    expect(total).to_be_visible()

    page.get_by_role("link", name="Sign out").click()
    gate(page, "signed out")
    page.reload()
    gate(page, "signed out")


def test_who_is_not_allowed_is_told_so(page, dashboard, provider):
    provider.user, provider.seconds = EVE, 300

    sign_in(page, dashboard)

    gate(page, "refused")
    expect(page.get_by_text("eve@elsewhere.net is not among those")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    gate(page, "signed out")


def test_an_open_page_closes_when_the_login_ends(page, dashboard, provider):
    provider.user, provider.seconds = ADA, 20

    sign_in(page, dashboard)
    expect(page.locator("[data-window]")).to_be_visible()

    gate(page, "expired")
    page.reload()
    gate(page, "expired")
    provider.seconds = 300
    page.get_by_role("button", name="Sign in again").click()
    expect(page.locator("[data-window]")).to_be_visible()


def test_the_secrets_are_in_a_private_file_alone(dashboard):
    (file,) = dashboard.temporary.rglob("secrets.toml")

    assert COOKIE_SECRET in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    command = " ".join(psutil.Process(dashboard.process.pid).cmdline())
    for text in (command, dashboard.log.read_text()):
        assert COOKIE_SECRET not in text
        assert CLIENT_SECRET not in text
    dashboard.stop()  # the last test of the module
    assert not file.exists()
