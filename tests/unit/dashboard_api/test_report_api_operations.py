"""Health, metrics, logs, OpenAPI and migrations of the report API."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from clickpulse.errors import ConfigurationError, TransientError
from clickpulse.migrations import read_migrations
from clickpulse.reports import Report
from clickpulse.windows import MinuteWindow
from dashboard_api.app import create_app
from dashboard_api.example_report import EXAMPLE_REPORT
from dashboard_api.memory import MemoryReports
from dashboard_api.parameters import decode_cursor, encode_cursor
from dashboard_api.problems import ProblemError
from dashboard_api.repository import Position
from dashboard_api.sql import MIGRATIONS

REPORTS = "/api/v1/reports"


class Away(MemoryReports):
    """A database that can't be reached."""

    def prepare(self):
        raise TransientError("Postgres does not answer: password=hunter2")

    add = latest = one = rows = revisions = newest_window = check = lambda self, *_, **__: self.prepare()


def samples(client) -> dict[tuple[str, frozenset], float]:
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def test_without_the_database_it_starts_and_says_so(api_settings):
    with TestClient(create_app(api_settings, Away())) as client:
        assert client.get("/healthz").status_code == 200
        for address in ("/readyz", f"{REPORTS}/latest", REPORTS, f"{REPORTS}/2026-11-22T10:05Z"):
            answer = client.get(address)
            assert answer.status_code == 503, address
            assert answer.headers["content-type"] == "application/problem+json"
            assert int(answer.headers["retry-after"]) >= 1
            assert "hunter2" not in answer.text
        assert samples(client)["clickpulse_report_database_up", frozenset()] == 0


def test_metrics_count_posts_and_show_the_newest_minute(client, report_json):
    client.post(REPORTS, json=report_json(5))
    client.post(REPORTS, json=report_json(5))
    client.post(REPORTS, json=report_json(5, revision_reason="other"))
    client.post(REPORTS, json=report_json(8))
    client.get("/api/v1/unknown")

    values = samples(client)

    def posted(result: str) -> float:
        return values["clickpulse_reports_posted_total", frozenset({("result", result)})]

    assert (posted("created"), posted("unchanged"), posted("conflict")) == (2, 1, 1)
    newest_end = datetime(2026, 11, 22, 10, 9, tzinfo=UTC).timestamp()
    assert values["clickpulse_report_newest_window_end_timestamp_seconds", frozenset()] == newest_end
    assert values["clickpulse_report_freshness_seconds_count", frozenset({("revision", "first")})] == 2
    labels = frozenset({("method", "POST"), ("route", REPORTS), ("status", "201")})
    assert values["clickpulse_http_requests_total", labels] == 2
    unmatched = frozenset({("method", "any"), ("route", "unmatched"), ("status", "404")})
    assert values["clickpulse_http_requests_total", unmatched] == 1


def test_a_request_id_that_could_forge_a_log_is_replaced(client):
    answer = client.get("/healthz", headers={"X-Request-ID": "a b {}"})

    assert len(answer.headers["x-request-id"]) == 32


def test_openapi_describes_bodies_problems_and_an_example_that_is_valid(client):
    document = client.get("/openapi.json").json()

    post = document["paths"][REPORTS]["post"]
    body = post["requestBody"]["content"]["application/json"]
    assert body["schema"] == {"$ref": "#/components/schemas/Report"}
    Report.model_validate(body["example"])
    assert {"200", "201", "401", "409", "413", "415", "422", "503"} <= set(post["responses"])
    assert set(post["responses"]["409"]["content"]) == {"application/problem+json"}
    assert post["security"]
    references = {part.split('"')[0] for part in json.dumps(document).split('"#/components/schemas/')[1:]}
    assert references <= set(document["components"]["schemas"])


def test_the_example_is_a_report():
    assert Report.model_validate(EXAMPLE_REPORT).model_dump(mode="json") == EXAMPLE_REPORT


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001
        lambda moment: MinuteWindow.containing(moment.replace(tzinfo=UTC))
    ),
    st.integers(0, 2**31 - 1),
)
def test_a_cursor_is_read_as_it_was_written(window, revision):
    position = Position(window, revision)

    assert decode_cursor(encode_cursor(position)) == position


@given(st.text(max_size=60) | st.binary(max_size=40).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_any_other_cursor_is_a_problem_and_nothing_else(text):
    with suppress(ProblemError):
        assert encode_cursor(decode_cursor(text)) is not None


def test_the_migrations_are_in_line():
    assert [migration.version for migration in read_migrations(MIGRATIONS)] == list(
        range(1, len(read_migrations(MIGRATIONS)) + 1)
    )


@pytest.mark.parametrize("names", [["0002_b.sql"], ["1_a.sql"], ["0001_a.sql", "0001_b.sql"], ["0001_A-b.sql"]])
def test_migrations_that_are_out_of_line_are_refused(tmp_path, names):
    for name in names:
        (tmp_path / name).write_text("SELECT 1")

    with pytest.raises(ConfigurationError):
        read_migrations(tmp_path)
