"""Posting a report: each answer of the API leads to the right outcome."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import httpx
import pytest
import stamina

from clickpulse.errors import ConfigurationError, TransientError
from clickpulse.publish import PublishResult, publish_report
from clickpulse.report_calls import ATTEMPTS
from clickpulse.reports import Completeness, Report, Timings
from clickpulse.windows import MinuteWindow
from spark.report import build_report
from spark.summary import MinuteSummary


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=ATTEMPTS):
        yield


@pytest.fixture
def report() -> Report:
    empty = build_report(
        MinuteWindow.parse("2026-11-22T10:05Z"),
        MinuteSummary(),
        [],
        completeness=Completeness(complete=True, reason="complete"),
        inputs=("e", "b"),
    )
    return empty.model_copy(update={"timings": Timings(published_at=datetime(2026, 11, 22, 10, 6, 3, tzinfo=UTC))})


def client(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.Client:
    return httpx.Client(
        base_url="http://api.test", transport=httpx.MockTransport(answer), headers={"Authorization": "Bearer secret"}
    )


def test_created_and_what_is_sent(report: Report) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(201)

    assert publish_report(client(answer), report) is PublishResult.CREATED
    (request,) = seen
    assert (request.method, request.url.path) == ("POST", "/api/v1/reports")
    assert request.headers["authorization"] == "Bearer secret"
    assert Report.model_validate_json(request.content) == report
    assert json.loads(request.content)["timings"]["published_at"] == "2026-11-22T10:06:03Z"


def test_same_content_is_already_there(report: Report) -> None:
    assert publish_report(client(lambda _: httpx.Response(200)), report) is PublishResult.ALREADY_THERE


def test_recovers_from_server_errors_and_lost_connections(report: Report) -> None:
    answers = iter([httpx.Response(503), httpx.ConnectError("refused"), httpx.Response(201)])

    def answer(_: httpx.Request) -> httpx.Response:
        following = next(answers)
        if isinstance(following, Exception):
            raise following
        return following

    assert publish_report(client(answer), report) is PublishResult.CREATED
    assert next(answers, None) is None


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_gives_up_on_a_lasting_failure_with_its_cause(report: Report, status: int) -> None:
    tries = 0

    def answer(_: httpx.Request) -> httpx.Response:
        nonlocal tries
        tries += 1
        return httpx.Response(status, json={"title": "Unavailable", "detail": "database is starting"})

    with pytest.raises(
        TransientError, match=rf"{status} for 2026-11-22T10:05Z rev 0: Unavailable: database is starting"
    ):
        publish_report(client(answer), report)
    assert tries == ATTEMPTS


def test_unreachable_names_the_address(report: Report) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("Connection refused")

    with pytest.raises(TransientError, match=r"http://api.test.* does not answer .*Connection refused"):
        publish_report(client(answer), report)


def test_refusal_shows_the_problem_details_and_is_not_retried(report: Report) -> None:
    tries = 0

    def answer(_: httpx.Request) -> httpx.Response:
        nonlocal tries
        tries += 1
        errors = [{"pointer": "/totals/events", "detail": "is negative"}]
        return httpx.Response(422, json={"title": "Invalid report", "detail": "1 error", "errors": errors})

    with pytest.raises(ConfigurationError, match=r"422 .*Invalid report: 1 error; /totals/events: is negative"):
        publish_report(client(answer), report)
    assert tries == 1


@pytest.mark.parametrize("status", [401, 409])
def test_other_refusals(report: Report, status: int) -> None:
    with pytest.raises(ConfigurationError, match=f"{status} .*: no"):
        publish_report(client(lambda _: httpx.Response(status, text="no")), report)
