"""Accounting for recent minutes, against the real report API in memory and services made of lists."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from clickpulse.accounting import step
from clickpulse.accounting.interfaces import Rules, Sources
from clickpulse.accounting.record import AccountedMinute
from clickpulse.reports import Report
from clickpulse.windows import MINUTE, MinuteWindow
from dashboard_api.app import create_app
from dashboard_api.example_report import EXAMPLE_REPORT
from dashboard_api.memory import MemoryReports
from dashboard_api.settings import ReportApiSettings

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)  # of the worlds' minute 0


@pytest.fixture
def api(monkeypatch: Any) -> Any:
    """The API's application; its client is what the step gets."""
    app = create_app(ReportApiSettings(write_token="w", database_url="postgresql://none"), MemoryReports())

    def client(_: Any) -> TestClient:
        return TestClient(app, headers={"Authorization": "Bearer w"})

    monkeypatch.setattr(step, "report_reader", client)
    monkeypatch.setattr(step, "report_writer", client)
    nothing = SimpleNamespace(load=lambda: None)
    monkeypatch.setattr(step, "ReportReaderSettings", nothing)
    monkeypatch.setattr(step, "ReportWriterSettings", nothing)
    settings = SimpleNamespace(load=lambda: SimpleNamespace(start=START + MINUTE))
    monkeypatch.setattr(step, "ReportSettings", settings)
    monkeypatch.setattr(step, "rules", lambda: Rules(60, 30, 300))
    return app


@pytest.fixture
def account_of(api: Any, monkeypatch: Any) -> Any:
    """Run the step over a world, `minutes` after its start; the range that was read is in `spans`."""

    def run(world: Any, minutes: float, back: int = 60) -> dict[str, Any]:
        @contextmanager
        def open_sources(first: MinuteWindow) -> Any:
            shift = round((first.start - START) / MINUTE)
            yield Sources(*[world.moved(shift)] * 4)

        monkeypatch.setattr(step, "open_sources", open_sources)
        for minute in world.reported:
            if not api.state.repository.revisions(MinuteWindow(START + minute * MINUTE)):
                api.state.repository.add(report(minute))
        return step.account_recent(back, START + timedelta(minutes=minutes))

    return run


def report(minute: int) -> Report:
    return Report.model_validate(
        EXAMPLE_REPORT | {"window": START + minute * MINUTE, "window_end": START + (minute + 1) * MINUTE}
    )


@pytest.fixture
def received(api: Any, monkeypatch: Any) -> None:
    """Reports were stored when their minutes ended, not when the test ran."""
    found = step.counting_reports

    def shifted(*arguments: Any) -> Any:
        for one in found(*arguments):
            yield type(one)(**(vars(one) | {"received_at": one.window.end}))

    monkeypatch.setattr(step, "counting_reports", shifted)
    assert api


def listed(api: Any) -> list[AccountedMinute]:
    return [AccountedMinute.model_validate(one) for one in api.state.accounts.listed(None, None, 99)]


@pytest.mark.usefixtures("received")
def test_settled_minutes_are_accounted_for_once(api, account_of, make_world):
    world = make_world()
    for minute in range(1, 6):
        world.message(minute, minute)

    first = account_of(world, 7.5)
    again = account_of(world, 7.6)
    later = account_of(world, 9.5)

    assert (first["from"], first["to"], first["accounted"]) == ("2026-11-22T10:01Z", "2026-11-22T10:04Z", 3)
    assert (again["accounted"], again["from"]) == (0, None)
    assert (later["from"], later["accounted"]) == ("2026-11-22T10:04Z", 2)
    assert [(one.window.minute, one.reported) for one in listed(api)] == [(m, 1) for m in (5, 4, 3, 2, 1)]


@pytest.mark.usefixtures("received")
def test_a_minute_that_does_not_add_up_is_told_and_tried_again_until_it_does(api, account_of, make_world):
    world = make_world()
    world.message(1, 1)
    lost = world.message(2, 2, store=False)
    world.reported[2].remove(lost)

    told = account_of(world, 10)
    world.stored.append(lost)
    world.reported[2].append(lost)
    mended = account_of(world, 12)

    assert told["problems"] == [{"window": "2026-11-22T10:02Z", "kinds": ["missing"]}]
    assert (mended["from"], mended["problems"]) == ("2026-11-22T10:02Z", [])
    assert all(one.adds_up for one in listed(api))


@pytest.mark.usefixtures("received")
def test_a_minute_without_a_report_is_accounted_for_as_well(api, account_of, make_world):
    world = make_world()
    world.message(1, 1)
    world.message(2, 2, report=False)

    told = account_of(world, 8)

    assert told["problems"] == [{"window": "2026-11-22T10:02Z", "kinds": ["missing"]}]
    assert [one.revision for one in listed(api)] == [None, 0]
