"""What is fetched, how often, and what the health pages mean."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi.testclient import TestClient

from clickpulse.errors import ConfigurationError
from clickpulse.reports import Report
from clickpulse.windows import MinuteWindow
from dashboard_api.app import create_app
from dashboard_api.memory import MemoryReports
from dashboard_api.settings import ReportApiSettings
from dashboard_ui.data import HealthSource, ReportSource
from dashboard_ui.formats import NOTHING, duration, listing, number, percent, seconds, sentence
from dashboard_ui.picker import LATEST, minute_options, picked_minute
from dashboard_ui.services import Answer, Level, airflow_state, sink_state

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class Recorder(httpx.BaseTransport):
    """Hands requests to the real application, or fails, and keeps the answers' statuses."""

    def __init__(self, repository: MemoryReports) -> None:
        settings = ReportApiSettings(write_token="t", database_url="postgresql://none")
        self._app = TestClient(create_app(settings, repository))
        self.down = False
        self.statuses: list[int] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            raise httpx.ConnectError("[Errno 111] Connection refused", request=request)
        answer = self._app.get(str(request.url), headers=dict(request.headers))
        self.statuses.append(answer.status_code)
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


@pytest.fixture
def api(stored):
    repository = MemoryReports()
    recorder = Recorder(repository)

    def post(*minutes: int) -> None:
        for minute in minutes:
            body = stored(minute).model_dump(exclude={"received_at", "freshness_seconds"})
            repository.add(Report.model_validate(body))

    recorder.post = post
    return recorder


def source(api: Recorder, **options) -> ReportSource:
    return ReportSource(httpx.Client(transport=api, base_url="http://testserver"), **{"min_age_seconds": 0} | options)


def test_unchanged_reports_are_not_sent_again(api):
    api.post(0, 1)
    reports = source(api)

    first, second = reports.hour(), reports.hour()
    api.post(2)
    third = reports.hour()

    assert api.statuses == [200, 304, 200]
    assert first.reports == second.reports
    assert [one.window.minute for one in third.reports] == [2, 1, 0]


def test_an_outage_keeps_what_is_known_and_ends_by_itself(api):
    api.post(0)
    reports = source(api)
    known = reports.hour()

    api.down = True
    away = reports.hour()
    api.down = False
    back = reports.hour()

    assert away.reports == known.reports
    assert away.problem == "http://testserver: Connection refused"
    assert back.problem is None
    assert api.statuses == [200, 304]


def test_many_readers_ask_once(api):
    ticks = iter([100.0, 100.0, 100.4, 102.0, 102.0])
    reports = source(api, min_age_seconds=1, clock=lambda: next(ticks))

    for _ in range(3):
        reports.hour()

    assert len(api.statuses) == 2


def test_an_hour_is_61_minutes_up_to_the_picked_one(api):
    api.post(*range(59))
    reports = source(api)

    hour = reports.hour(MinuteWindow.parse("2026-11-22T10:40Z"))

    assert [one.window.minute for one in hour.reports] == list(range(40, -1, -1))


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (httpx.Response(503, json={"detail": "the database is away"}), "the database is away"),
        (httpx.Response(502, text="<html>"), "502"),
        (httpx.Response(200, text="no json"), "another version"),
        (httpx.Response(200, json={"items": [{"schema_version": "9"}], "next_cursor": None}), "another version"),
    ],
)
def test_an_answer_that_is_no_report_is_a_problem_not_a_crash(answer, says):
    client = httpx.Client(transport=httpx.MockTransport(lambda _: answer), base_url="http://x")

    assert says in ReportSource(client, 0).hour().problem


def test_a_service_that_hangs_does_not_hold_up_the_page():
    go_on = threading.Event()

    def hang(request: httpx.Request) -> httpx.Response:
        if request.url.host == "slow":
            go_on.wait(10)
        return httpx.Response(200, json={"status": "ok"})

    client = httpx.Client(transport=httpx.MockTransport(hang))
    health = HealthSource(client, {"slow": "http://slow/", "quick": "http://quick/"})

    first = health.answers(first_wait_seconds=0.2)
    go_on.set()
    second = health.answers(first_wait_seconds=5)

    assert set(first) == {"quick"}
    assert second["slow"].status == 200


def sink(code=200, /, **payload):
    return sink_state(Answer(code, payload), NOW)


@pytest.mark.parametrize(
    ("state", "level", "says"),
    [
        (sink(last_flush_at=(NOW - timedelta(seconds=3)).isoformat(), lag_total=0), Level.OK, "last stored 3 s ago"),
        (sink(last_flush_at=NOW.timestamp() - 3, lag={"0": 5, "1": 6}), Level.OK, "11 events waiting"),
        (sink(), Level.OK, "nothing stored yet"),
        (sink(last_flush_at="nonsense", lag=None), Level.OK, "nothing stored yet"),
        (sink(paused_reason="ClickHouse: refused"), Level.WARNING, "ClickHouse: refused"),
        (sink(503, status="stuck"), Level.CRITICAL, "clickpulse status"),
        (sink_state(Answer(None, {}, "http://s: refused"), NOW), Level.CRITICAL, "refused"),
    ],
)
def test_the_sinks_health(state, level, says):
    assert state.level == level
    assert says in f"{state.detail} {state.reason}"


def airflow(**parts):
    beat = (NOW - timedelta(seconds=2)).isoformat()
    well = {
        "metadatabase": {"status": "healthy"},
        "scheduler": {"status": "healthy", "latest_scheduler_heartbeat": beat},
        "triggerer": {"status": None, "latest_triggerer_heartbeat": None},
        "dag_processor": {"status": "healthy", "latest_dag_processor_heartbeat": beat},
    }
    return airflow_state(Answer(200, well | parts), NOW)


def test_airflows_health():
    dead = {"status": "unhealthy", "latest_scheduler_heartbeat": NOW.isoformat()}

    assert airflow().level == Level.OK
    assert airflow(scheduler=dead).level == Level.CRITICAL
    assert "scheduler" in airflow(scheduler=dead).reason
    assert airflow(metadatabase={"status": "unhealthy"}).level == Level.CRITICAL
    assert airflow_state(Answer(500, {}), NOW).level == Level.CRITICAL
    assert airflow_state(Answer(200, {}), NOW).level == Level.OK


@pytest.mark.parametrize(
    ("text", "window"),
    [
        (LATEST, None),
        (None, None),
        ("2026-11-22T10:05Z", "2026-11-22T10:05Z"),
        ("10:05", "2026-11-22T10:05Z"),
        ("10:05 UTC", "2026-11-22T10:05Z"),
        ("23:59", "2026-11-21T23:59Z"),
    ],
)
def test_the_picked_minute(text, window):
    picked = picked_minute(text, NOW)

    assert (str(picked) if picked else None) == window


@pytest.mark.parametrize("text", ["banana", "25:00", "10:60", "", "0001-01-01T00:00+10:00"])
def test_a_minute_that_is_none_is_explained(text):
    with pytest.raises(ConfigurationError):
        picked_minute(text, NOW)


def test_the_picked_minute_stays_among_the_options(api):
    api.post(0, 1)
    live = source(api).hour()

    assert minute_options(live, None) == [LATEST, "2026-11-22T10:01Z", "2026-11-22T10:00Z"]
    assert minute_options(live, "08:00")[-1] == "08:00"


def test_formats():
    assert [duration(value) for value in (0, 59.4, 60, 200, 3600, 7500, 400_000)] == [
        "0 s",
        "59 s",
        "1 min",
        "3 min 20 s",
        "1 h",
        "2 h 5 min",
        "4 days",
    ]
    assert (number(1234567), number(None), percent(0.12345), percent(None)) == ("1,234,567", NOTHING, "12.35%", NOTHING)
    assert (seconds(2.54), seconds(None), seconds(3700)) == ("2.5 s", NOTHING, "1 h 1 min")
    assert [listing(["a", "b", "c"][:count]) for count in range(4)] == ["", "a", "a and b", "a, b and c"]
    assert (sentence("it is"), sentence("http://x: no"), sentence("")) == ("It is.", "http://x: no.", "")
