"""Many reports published and summaries read, against a report API in memory or answers made up."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import stamina
from fastapi.testclient import TestClient
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from clickpulse import publish
from clickpulse.errors import ConfigurationError, TransientError
from clickpulse.publish import PublishResult, publish_reports
from clickpulse.report_calls import ATTEMPTS
from clickpulse.reports import Report
from clickpulse.stored_reports import report_summaries
from dashboard_api import routes_reading
from dashboard_api.app import create_app
from dashboard_api.example_report import EXAMPLE_REPORT
from dashboard_api.memory import MemoryReports
from dashboard_api.settings import ReportApiSettings

FIRST = datetime(2026, 11, 22, 10, tzinfo=UTC)


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=ATTEMPTS):
        yield


@pytest.fixture
def memory() -> MemoryReports:
    return MemoryReports()


@pytest.fixture
def api(memory: MemoryReports) -> Iterator[TestClient]:
    settings = ReportApiSettings(write_token="w", admin_token="a", database_url="postgresql://none")
    with TestClient(create_app(settings, memory), headers={"Authorization": "Bearer a"}) as client:
        yield client


def report(minute: int, revision: int = 0, **members: Any) -> Report:
    start = FIRST + timedelta(minutes=minute)
    own = {"window": start, "window_end": start + timedelta(minutes=1), "revision": revision}
    return Report.model_validate(EXAMPLE_REPORT | own | members)


def client(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.Client:
    return httpx.Client(base_url="http://api.test", transport=httpx.MockTransport(answer))


@pytest.mark.parametrize(("most", "size"), [(500, 10**9), (7, 10**9), (500, 3 * len(report(0).model_dump_json()))])
def test_all_reports_are_published_whatever_the_batches(api, memory, monkeypatch, most, size):
    monkeypatch.setattr(publish, "BATCH_REPORTS", most)
    monkeypatch.setattr(publish, "BATCH_BYTES", size)
    reports = [report(minute) for minute in range(30)]

    first, again = publish_reports(api, reports[:20]), publish_reports(api, reports)

    assert first == [PublishResult.CREATED] * 20
    assert again == [PublishResult.ALREADY_THERE] * 20 + [PublishResult.CREATED] * 10
    stored = [Report.model_validate(row.body) for _, row in memory.after(0, 100)]
    assert stored == reports


def test_nothing_to_publish_is_no_call(api):
    assert publish_reports(api, []) == []


def test_conflicts_name_their_windows_after_all_others_were_stored(api, memory, monkeypatch):
    monkeypatch.setattr(publish, "BATCH_REPORTS", 2)
    publish_reports(api, [report(1), report(4)])
    changed = [
        report(0),
        report(1, revision_reason="x"),
        report(2),
        report(3),
        report(4, revision_reason="x"),
        report(5),
    ]

    with pytest.raises(ConfigurationError, match=r"2 of 6 reports: 2026-11-22T10:01Z rev 0: conflict: .*10:04Z rev 0"):
        publish_reports(api, changed)

    assert len(memory.after(0, 100)) == 6


def test_a_batch_is_repeated_when_the_api_was_away():
    answers = iter([httpx.Response(503), httpx.ConnectError("refused"), None])

    def answer(request: httpx.Request) -> httpx.Response:
        following = next(answers)
        if isinstance(following, Exception):
            raise following
        outcomes = [
            {"window": one["window"], "revision": 0, "outcome": "created"} for one in json.loads(request.content)
        ]
        return following or httpx.Response(200, json=outcomes)

    assert publish_reports(client(answer), [report(0), report(1)]) == [PublishResult.CREATED] * 2


def test_a_lasting_failure_says_which_reports():
    with pytest.raises(TransientError, match="503 for 2 reports from 2026-11-22T10:00Z rev 0"):
        publish_reports(client(lambda _: httpx.Response(503)), [report(0), report(1)])


def test_summaries_of_a_range_come_from_all_pages(api, monkeypatch):
    monkeypatch.setattr(routes_reading, "MAX_SUMMARIES", 4)
    publish_reports(api, [report(minute, revision) for minute in range(20) for revision in range(minute % 3 + 1)])

    found = report_summaries(api, FIRST + timedelta(minutes=2), FIRST + timedelta(minutes=19))

    assert [one.window for one in found] == [FIRST + timedelta(minutes=minute) for minute in range(2, 19)]
    assert [one.revision for one in found] == [minute % 3 for minute in range(2, 19)]
    assert {tuple(one.cutoff.items()) for one in found} == {((0, 90_288),)}
    assert found[0].digest == report(2, 2).digest()


def test_a_refusal_of_summaries_shows_the_problem():
    refused = httpx.Response(403, json={"title": "Forbidden", "detail": "the token lacks the scope reports:read"})

    with pytest.raises(
        ConfigurationError, match=r"403 for reports from 2026-11-22T10:00.*lacks the scope reports:read"
    ):
        report_summaries(client(lambda _: refused), FIRST, FIRST + timedelta(hours=1))


def test_repeated_calls_are_logged_without_the_reports() -> None:
    logged: list[RetryDetails] = []
    stamina.set_testing(False)
    set_on_retry_hooks([logged.append])
    try:
        with pytest.raises(TransientError):
            publish_reports(client(lambda _: httpx.Response(503)), [report(0)])
    finally:
        set_on_retry_hooks(None)

    assert len(logged) == ATTEMPTS - 1
    assert "PAYMENT" not in str(logged)
