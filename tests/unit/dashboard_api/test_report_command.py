"""`clickpulse report` against the real application over reports in memory."""

from __future__ import annotations

import json
from contextlib import nullcontext

import httpx
import pytest
import typer
from fastapi.testclient import TestClient

from clickpulse import report_commands
from clickpulse.errors import ClickpulseError, ConfigurationError, TransientError


@pytest.fixture
def run(client: TestClient, monkeypatch, capsys):
    """Run the command with arguments; its stdout."""
    monkeypatch.setattr(report_commands, "_client", lambda _settings: nullcontext(client))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NO_COLOR", "1")

    def invoke(*arguments: str) -> str:
        app = typer.Typer()
        report_commands.register(app)
        app(list(arguments), standalone_mode=False)
        return capsys.readouterr().out

    return invoke


def test_json_is_the_stored_report_and_nothing_else(run, client, report_json):
    stored = client.post("/api/v1/reports", json=report_json()).json()

    assert json.loads(run("--json")) == stored


def test_the_figures_of_the_latest_report_are_printed(run, client, report_json):
    client.post("/api/v1/reports", json=report_json())

    text = run()

    assert "2026-11-22T10:05Z to 10:06 UTC, revision 0" in text
    assert "✓ complete" in text
    assert "PAYMENT error rate 12.9 %" in text
    payment = next(line for line in text.splitlines() if "PAYMENT" in line and "1,450" in line)
    assert payment.split() == ["▲", "PAYMENT", "1,450", "87.10%", "12.90%", "356", "981", "1,805", "503:", "187"]
    total = next(line for line in text.splitlines() if line.strip().startswith("all"))
    assert total.split()[1:4] == ["30,050", "99.20%", "0.80%"]


def test_an_incomplete_minute_says_why(run, client, report_json):
    incomplete = {"complete": False, "reason": "partition 3 lags", "partitions": []}
    client.post("/api/v1/reports", json=report_json(complete=False, completeness=incomplete))

    assert "! incomplete: partition 3 lags" in run()


def test_one_minute_and_revision(run, client, report_json):
    for revision in (0, 1):
        client.post("/api/v1/reports", json=report_json(5, revision))
    client.post("/api/v1/reports", json=report_json(6))

    assert json.loads(run("--window", "2026-11-22T10:05Z", "--json"))["revision"] == 1
    assert json.loads(run("--window", "2026-11-22T10:05Z", "--revision", "0", "--json"))["revision"] == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--window", "2026-11-22T10:06Z"], "clickpulse status"),
        ([], "no report has been posted yet"),
        (["--window", "10:05"], "2026-11-22T10:05Z"),
        (["--revision", "1"], "--window"),
    ],
)
def test_what_is_not_there_is_said_with_the_remedy(run, arguments, says):
    with pytest.raises(ClickpulseError, match=says):
        run(*arguments)


def test_a_window_that_is_none_is_a_mistake_of_the_caller(run):
    with pytest.raises(ConfigurationError):
        run("--window", "tomorrow")


def test_an_api_that_is_down_is_said_with_the_remedy(monkeypatch):
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("Connection refused", request=request)

    made = httpx.Client(base_url="http://127.0.0.1:9", transport=httpx.MockTransport(refuse))
    monkeypatch.setattr(report_commands, "_client", lambda _settings: made)

    with pytest.raises(TransientError, match=r"127.0.0.1:9.*clickpulse up"):
        report_commands.report()
