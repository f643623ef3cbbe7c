"""The report API over reports in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from structlog.testing import capture_logs

from dashboard_api.app import create_app
from dashboard_api.example_report import EXAMPLE_REPORT
from dashboard_api.memory import MemoryReports
from dashboard_api.settings import ReportApiSettings

TOKEN = "unit-test-token"


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[Any]]:
    """What was logged; kept off stdout, which is the command's."""
    with capture_logs() as kept:
        yield kept


@pytest.fixture
def api_settings() -> ReportApiSettings:
    return ReportApiSettings(
        write_token="unit-test-writer",
        read_token="unit-test-reader",
        admin_token=TOKEN,
        database_url="postgresql://nobody@127.0.0.1:1/none",
    )


@pytest.fixture
def memory() -> MemoryReports:
    return MemoryReports()


@pytest.fixture
def client(api_settings: ReportApiSettings, memory: MemoryReports) -> Iterator[TestClient]:
    """An administrator's client; errors of the service are answers, as over a network."""
    app = create_app(api_settings, memory)
    with TestClient(app, raise_server_exceptions=False, headers={"Authorization": f"Bearer {TOKEN}"}) as made:
        yield made


@pytest.fixture
def report_json() -> Callable[..., dict[str, Any]]:
    """The example report at another minute and revision, with other members where given."""

    def make(minute: int = 5, revision: int = 0, **members: Any) -> dict[str, Any]:
        start, end = f"2026-11-22T10:{minute:02}:00Z", f"2026-11-22T10:{minute + 1:02}:00Z"
        return EXAMPLE_REPORT | {"window": start, "window_end": end, "revision": revision} | members

    return make
