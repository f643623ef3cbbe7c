"""The whole job: a file is replayed, Airflow runs, and API, command and page show the file's own numbers."""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clickpulse.clients import report_reader, s3_client
from clickpulse.objects import WindowObjects
from clickpulse.settings import PROJECT_ROOT, DashboardSettings, ReportReaderSettings, S3Settings
from clickpulse.windows import MinuteWindow, minutes_between
from tests.support import run_clickpulse, wait_for, wait_for_a_minute_of_its_own

FILE = PROJECT_ROOT / "tests" / "data" / "clickstream_small.csv"
MAPPING = PROJECT_ROOT / "tests" / "data" / "mappings" / "clickstream_small.yaml"
WRONG_ROWS = 6
TYPES = {"search": "SEARCH", "view": "VIEW_PRODUCT", "cart": "ADD_TO_CART", "checkout": "CHECKOUT", "pay": "PAYMENT"}
REPORT_SECONDS = 150


@dataclass
class Expected:
    """Counted from the file with nothing but the csv module."""

    events: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    latencies: dict[str, list[int]] = field(default_factory=dict)
    users: set[str] = field(default_factory=set)
    sessions: set[str] = field(default_factory=set)
    wrong: int = 0


def count_file() -> Expected:
    counted = Expected()
    with FILE.open(newline="") as lines:
        for row in csv.DictReader(lines):
            try:
                event_type = TYPES[row["action"]]
                float(row["seconds"])
                latency = round(float(row["duration_s"]) * 1000)
                status = int(row["http_status"])
                usable = latency >= 0 and row["visitor"] and row["visit"] and (status == 200 or 400 <= status <= 599)
            except (KeyError, ValueError, TypeError):
                usable = False
            if not usable:
                counted.wrong += 1
                continue
            counted.events[event_type] += 1
            counted.latencies.setdefault(event_type, []).append(latency)
            counted.users.add(row["visitor"])
            counted.sessions.add(row["visit"])
            if status != 200:
                counted.errors[event_type] += 1
                counted.codes[str(status)] += 1
    return counted


def quantile(values: list[int], share: float) -> float:
    """Linear interpolation between the two nearest ranks."""
    ordered = sorted(values)
    position = share * (len(ordered) - 1)
    below, above = math.floor(position), math.ceil(position)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


@dataclass
class Replayed:
    window: MinuteWindow
    summary: dict
    report: dict


@pytest.fixture(scope="module")
def replayed(sink: str) -> Replayed:  # noqa: ARG001 - it has to run
    """The file, replayed within one minute with either sink, and that minute's report from the API."""
    wait_for_a_minute_of_its_own()
    out = run_clickpulse("replay", str(FILE), "--mapping", str(MAPPING), "--speed", "max", "--json", "--quiet")
    summary = json.loads(out)
    (window,) = [MinuteWindow.parse(text) for text in summary["acknowledged_per_minute"]]
    return Replayed(window, summary, wait_for_report(window))


def wait_for_report(window: MinuteWindow) -> dict:
    with report_reader(ReportReaderSettings.load()) as api:

        def fetch() -> dict | None:
            answer = api.get(f"/api/v1/reports/{window}")
            return answer.json() if answer.is_success else None

        return wait_for(fetch, seconds=REPORT_SECONDS, what=f"the report of {window}")


def test_the_file_is_sent_whole_and_wrong_rows_are_told(replayed: Replayed) -> None:
    expected = count_file()
    assert expected.wrong == WRONG_ROWS
    assert replayed.summary["rejected"] == expected.wrong
    assert replayed.summary["acknowledged"] == expected.events.total()


def test_the_report_has_the_files_numbers(replayed: Replayed) -> None:
    expected, report = count_file(), replayed.report
    assert report["complete"] is True
    assert report["revision"] == 0
    assert report["totals"]["events"] == expected.events.total()
    assert report["totals"]["errors"] == expected.errors.total()
    assert report["totals"]["error_codes"] == dict(expected.codes)
    assert report["totals"]["users"] == len(expected.users)
    assert report["totals"]["sessions"] == len(expected.sessions)
    for event_type in TYPES.values():
        stats = report["by_event_type"][event_type]
        events, errors = expected.events[event_type], expected.errors[event_type]
        assert (stats["events"], stats["errors"], stats["successes"]) == (events, errors, events - errors)
        assert stats["error_rate"] == pytest.approx(errors / events)
        latencies = expected.latencies[event_type]
        for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
            assert stats["latency_ms"][name] == pytest.approx(quantile(latencies, share), abs=0.001)
        assert stats["latency_ms"]["max"] == max(latencies)


def test_the_report_was_there_seconds_after_the_minute(replayed: Replayed) -> None:
    timings = replayed.report["timings"]
    stages = [
        datetime.fromisoformat(timings[f"{name}_at"]) for name in ("awaited", "exported", "detected", "published")
    ]
    assert stages == sorted(stages)
    assert stages[0] >= replayed.window.end
    assert 0 < replayed.report["freshness_seconds"] < REPORT_SECONDS


def test_the_bucket_has_the_window_under_hive_names(replayed: Replayed) -> None:
    settings = S3Settings.load()
    objects = WindowObjects(replayed.window)
    client = s3_client(settings)
    for key in (objects.events, objects.baseline, objects.manifest, objects.report):
        assert client.stat_object(settings.bucket, key).size
    stored = json.loads(client.get_object(settings.bucket, objects.report).read())
    assert {name: replayed.report[name] for name in stored} == stored


def test_the_command_prints_the_same(replayed: Replayed) -> None:
    printed = json.loads(run_clickpulse("report", "--window", str(replayed.window), "--json"))
    assert printed == replayed.report
    text = run_clickpulse("report", "--window", str(replayed.window))
    assert str(replayed.window) in text
    for event_type, count in count_file().events.items():
        line = next(line for line in text.splitlines() if event_type in line)
        assert f" {count} " in line


def test_no_minute_is_skipped_and_empty_ones_say_so(replayed: Replayed) -> None:
    for window in minutes_between(replayed.window, MinuteWindow.containing(datetime.now(UTC)).previous):
        report = wait_for_report(window)
        assert MinuteWindow.parse(report["window"]) == window
    empty = wait_for_report(MinuteWindow(replayed.window.start + timedelta(minutes=1)))
    assert empty["complete"] is True
    assert empty["totals"]["events"] == 0
    assert empty["totals"]["error_rate"] is None


def test_the_page_shows_the_same_numbers_in_a_browser(replayed: Replayed, chromium: str) -> None:
    from playwright.sync_api import expect, sync_playwright

    expected = count_file()
    page_url = f"http://127.0.0.1:{DashboardSettings.load().port}/"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.goto(f"{page_url}?minute={replayed.window}")
        expect(page.locator(f'section[data-window="{replayed.window}"]')).to_be_visible(timeout=60_000)
        for event_type in TYPES.values():
            cell = page.locator(f'tr[data-event-type="{event_type}"] td[data-field="events"]')
            expect(cell).to_contain_text(str(expected.events[event_type]))
        total = page.locator('tr[data-event-type="ALL"] td[data-field="events"]')
        expect(total).to_contain_text(str(expected.events.total()))
        browser.close()


@pytest.mark.usefixtures("stack")
def test_real_clicks_replayed_have_the_files_totals(shared_data: Path) -> None:
    file = shared_data / "articles" / "clicks_hour_000.csv"
    mapping = PROJECT_ROOT / "tests" / "data" / "mappings" / "articles_clicks.yaml"
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    out = run_clickpulse("replay", str(file), "--mapping", str(mapping), "--speed", "max", "--json", "--quiet")
    windows = [MinuteWindow.parse(text) for text in json.loads(out)["acknowledged_per_minute"]]
    reports = [wait_for_report(window) for window in windows]
    assert sum(report["by_event_type"]["VIEW_PRODUCT"]["events"] for report in reports) == len(rows)
    assert sum(report["totals"]["events"] for report in reports) == len(rows)
