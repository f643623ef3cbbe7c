"""The panel that says whether every event of the last hour is accounted for."""

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
from clickpulse.windows import MINUTE, MinuteWindow
from dashboard_api.app import create_app
from dashboard_api.memory import MemoryReports
from dashboard_api.settings import ReportApiSettings
from dashboard_ui import data, render
from dashboard_ui.accounting import accounting
from dashboard_ui.data import Accounts, AccountSource, Hour
from dashboard_ui.services import Answer, Level
from dashboard_ui.view import Situation, page

NOW = datetime(2026, 11, 22, 10, 30, 20, tzinfo=UTC)
PAGE = str(Path(dashboard_ui.__file__).parent / "app.py")


def situation(*accounts, problem=None) -> Situation:
    newest_first = tuple(sorted(accounts, key=lambda one: one.window, reverse=True))
    return Situation(
        now=NOW,
        live=Hour(),
        shown=Hour(),
        picked=None,
        services=(),
        stale_seconds=90,
        first_window=MinuteWindow.containing(NOW),
        accounts=Accounts(newest_first, problem),
    )


def figures(panel) -> dict[str, str]:
    return {term.key: term.value for term in (panel.acknowledged, *panel.terms)}


def test_the_equation_is_the_sum_over_the_hour(make_account):
    first = make_account(0, 1000, duplicates=2, late=3, dead_lettered=4)
    panel = page(situation(first, make_account(1, 500, duplicates=1))).accounting

    assert figures(panel) == {
        "acknowledged": "1,500",
        "reported": "1,490",
        "duplicates": "3",
        "late": "3",
        "dead_lettered": "4",
    }
    assert (panel.level, panel.verdict) == (Level.OK, "All add up")
    assert "2 minutes from 10:00 to 10:02 UTC; the last one accounted for is 10:01" in panel.note


def test_pending_and_missing_are_in_the_equation_only_where_there_are_any(make_account):
    panel = accounting(Accounts((make_account(0, 10, pending=1, missing=2, unexpected=3, problem="missing"),)))

    assert {"pending": "1", "missing": "2"}.items() <= figures(panel).items()
    assert "3 that no message explains" in panel.note


def test_minutes_that_do_not_add_up_are_named_first_and_in_red(make_account):
    accounts = [make_account(minute, problem="missing" if minute % 2 else None) for minute in range(20)]

    content = page(situation(*accounts))

    notice = next(one for one in content.notices if one.key == "unaccounted")
    assert (notice.level, notice.title) == (Level.CRITICAL, "10 minutes do not add up")
    assert "4 earlier ones, 10:09, 10:11, 10:13, 10:15, 10:17 and 10:19 UTC" in notice.text
    assert "`clickpulse reconcile 2026-11-22T10:01Z 2026-11-22T10:20Z`" in notice.text
    assert (content.accounting.level, content.accounting.verdict) == (Level.CRITICAL, "10 minutes do not add up")


def test_before_anything_was_accounted_for_it_says_so_without_a_warning():
    content = page(situation())

    assert content.accounting.level is Level.UNKNOWN
    assert "has been accounted for yet" in content.accounting.note
    assert content.accounting.acknowledged is None
    assert "unaccounted" not in [one.key for one in content.notices]


def test_what_comes_from_outside_is_escaped(make_account):
    shown = render.accounting(accounting(Accounts((make_account(),), problem="<script>")))

    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


class Api:
    """The real application, with its requests counted."""

    def __init__(self) -> None:
        app = create_app(ReportApiSettings(write_token="t", database_url="postgresql://none"), MemoryReports())
        self.kept = app.state.accounts
        self.client = TestClient(app)
        self.statuses: list[int] = []
        self.down = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            raise httpx.ConnectError("refused", request=request)
        answer = self.client.get(str(request.url), headers=dict(request.headers))
        self.statuses.append(answer.status_code)
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


@pytest.fixture
def api() -> Api:
    return Api()


def test_the_hour_is_asked_for_again_only_for_news_and_survives_an_outage(api, make_account):
    moments = iter(NOW + timedelta(seconds=10 * number) for number in range(9))
    client = httpx.Client(transport=httpx.MockTransport(api), base_url="http://testserver")
    source = AccountSource(client, 10, lambda: next(moments))
    api.kept.put([make_account(minute) for minute in (-31, -30, 29)])

    first, second = source.hour(), source.hour()
    api.down = True
    away = source.hour()

    assert api.statuses == [200, 304]
    assert [one.window.minute for one in first.minutes] == [29, 30]
    assert second.minutes == first.minutes == away.minutes
    assert "refused" in away.problem


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (httpx.Response(404, json={"detail": "there is nothing"}), "there is nothing"),
        (httpx.Response(200, text="no json"), "another version"),
    ],
)
def test_an_api_without_accounts_is_a_problem_not_a_crash(answer, says):
    source = AccountSource(httpx.Client(transport=httpx.MockTransport(lambda _: answer), base_url="http://x"), 0)

    panel = accounting(source.hour())

    assert panel.level is Level.UNKNOWN
    assert says in panel.note


class Health:
    def __init__(self, *_: object) -> None:
        pass

    def answers(self) -> dict[str, Answer]:
        return {}


def test_the_page_shows_the_figures_that_were_posted(api, make_account, monkeypatch):
    monkeypatch.setattr(data, "reports_client", lambda _: api.client)
    monkeypatch.setattr(data, "HealthSource", Health)
    st.cache_resource.clear()
    window = MinuteWindow.containing(datetime.now(UTC)).start - 7 * MINUTE
    posted = make_account(0, 4321, late=21, missing=1, problem="missing").model_copy(update={"window": window})
    api.kept.put([posted])

    shown = AppTest.from_file(PAGE, default_timeout=60).run()

    st.cache_resource.clear()
    assert not shown.exception
    text = "".join(element.proto.body for element in shown.get("html"))
    found = dict(re.findall(r'data-account="(\w+)">([^<]*)<', text))
    assert (found["acknowledged"], found["reported"], found["late"], found["missing"]) == ("4,321", "4,299", "21", "1")
    assert 'class="notice critical" role="alert" data-notice="unaccounted"' in text
    assert f"{window:%H:%M}" in text
