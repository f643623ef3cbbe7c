"""The whole job with `LOCAL_TLS=true`: the stack is stopped and comes back over TLS, with the data it had.

Afterwards it goes back to what it was, as other tests start services of their own without TLS.
"""

from __future__ import annotations

import csv
import json
import os
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from dotenv import dotenv_values

from clickpulse.clients import clickhouse_client, report_reader, s3_client
from clickpulse.objects import WindowObjects
from clickpulse.settings import (
    PROJECT_ROOT,
    ClickHouseSettings,
    DashboardSettings,
    ReportReaderSettings,
    S3Settings,
    stack_env_file,
)
from clickpulse.windows import MinuteWindow
from tests.certificates import make_certificates
from tests.support import external, run_clickpulse, wait_for, wait_for_a_minute_of_its_own

FILE = PROJECT_ROOT / "tests" / "data" / "clickstream_small.csv"
MAPPING = PROJECT_ROOT / "tests" / "data" / "mappings" / "clickstream_small.yaml"
WRONG_ROWS = 6
REPORT_SECONDS = 180


@pytest.fixture(scope="module")
def tls_stack(stack: Path) -> Iterator[Path]:
    """The stack over TLS; one that was given stays as it is."""
    if external():
        pytest.skip("the services run elsewhere: whether they speak TLS is decided there")
    if dotenv_values(stack_env_file()).get("LOCAL_TLS") != "true":
        if os.environ.get("CLICKPULSE_TEST_HOME"):
            pytest.skip("the stack in CLICKPULSE_TEST_HOME was started without LOCAL_TLS=true")
        restart(tls=True)
        yield stack
        restart(tls=False)
    else:
        yield stack


def restart(*, tls: bool) -> None:
    run_clickpulse("down", timeout=180)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCAL_TLS", str(tls).lower())
        run_clickpulse("up", "--no-traffic", timeout=400)


@pytest.fixture(scope="module")
def report(tls_stack: Path) -> dict:
    """The report of a minute into which a file was replayed."""
    del tls_stack
    wait_for_a_minute_of_its_own()
    sent = run_clickpulse("replay", str(FILE), "--mapping", str(MAPPING), "--speed", "max", "--json", "--quiet")
    ((window, acknowledged),) = json.loads(sent)["acknowledged_per_minute"].items()
    with report_reader(ReportReaderSettings.load()) as api:

        def fetch() -> dict | None:
            answer = api.get(f"/api/v1/reports/{window}")
            return answer.json() if answer.is_success else None

        found = wait_for(fetch, seconds=REPORT_SECONDS, what=f"the report of {window}")
    assert found["totals"]["events"] == acknowledged
    return found


def addresses() -> dict[str, str]:
    """Of the four services that speak TLS, a page of each that needs no login."""
    page = f"https://127.0.0.1:{DashboardSettings.load().port}"
    return {
        "report API": f"{ReportReaderSettings.load().url}healthz",
        "page": f"{page}/_stcore/health",
        "ClickHouse": f"{ClickHouseSettings.load().url}ping",
        "S3": str(S3Settings.load().endpoint),
    }


def test_the_report_is_complete_and_has_the_files_numbers(report: dict) -> None:
    with FILE.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert report["complete"] is True
    assert report["totals"]["events"] == len(rows) - WRONG_ROWS
    assert report["totals"]["errors"] == len([row for row in rows if str(row["http_status"])[0] in "45"])


def test_the_objects_are_in_the_bucket_and_the_events_in_clickhouse(report: dict) -> None:
    s3, objects = S3Settings.load(), WindowObjects(MinuteWindow.parse(report["window"]))
    assert s3.endpoint.scheme == "https"
    for key in (objects.events, objects.baseline, objects.manifest, objects.report):
        assert s3_client(s3).stat_object(s3.bucket, key).size
    with clickhouse_client(ClickHouseSettings.load(), reader=True) as client:
        assert client.command("SELECT count() FROM events") >= report["totals"]["events"]


@pytest.mark.usefixtures("tls_stack")
def test_http_and_clients_that_trust_others_are_refused(tmp_path: Path) -> None:
    ours = ssl.create_default_context(cafile=ReportReaderSettings.load().ca_file)
    others = ssl.create_default_context(cafile=make_certificates(tmp_path) / "ca.crt")
    for name, address in addresses().items():
        assert address.startswith("https://"), name
        assert httpx.get(address, verify=ours).status_code in {200, 403}, name
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(address, verify=others)
        try:
            plain = httpx.get(address.replace("https://", "http://"), timeout=5)
        except httpx.TransportError:
            continue
        assert plain.status_code == 400, f"{name} answers http: {plain.text[:100]}"


def test_the_page_shows_the_report(report: dict, chromium: str) -> None:
    from playwright.sync_api import expect, sync_playwright

    window = str(MinuteWindow.parse(report["window"]))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_context(ignore_https_errors=True).new_page()  # the browser does not know our CA
        page.goto(f"https://127.0.0.1:{DashboardSettings.load().port}/?minute={window}")
        expect(page.locator(f'section[data-window="{window}"]')).to_be_visible(timeout=60_000)
        total = page.locator('tr[data-event-type="ALL"] td[data-field="events"]')
        expect(total).to_contain_text(str(report["totals"]["events"]))
        browser.close()
