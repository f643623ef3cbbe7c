"""The command where nothing runs: every part says so, the others go on, and the status is 1."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import stamina
import typer
from typer.testing import CliRunner

from clickpulse.doctor import commands, examination
from clickpulse.doctor.examination import Examination
from clickpulse.doctor.model import Finding, Holding, Part
from clickpulse.errors import ConfigurationError

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def command() -> typer.Typer:
    app = typer.Typer()
    commands.register(app)
    app.callback()(lambda: None)
    return app


def examined(*findings: Finding) -> Examination:
    table = Holding("events", "rows", 1_234_567, 5_000_000, NOW, NOW, "30 days after arrived_at")
    return Examination(
        NOW,
        [
            Part("clickhouse", "ClickHouse", [table], findings, 1000),
            Part("kafka", "Kafka", findings=[], problem="" if not findings else "Kafka does not answer"),
        ],
    )


@pytest.mark.parametrize(
    ("findings", "status"),
    [((), 0), ((Finding("a note", "none", action=False),), 0), ((Finding("full", "make room"),), 1)],
)
def test_the_status_says_whether_a_hand_is_needed(
    command: typer.Typer, monkeypatch: pytest.MonkeyPatch, findings: tuple[Finding, ...], status: int
) -> None:
    monkeypatch.setattr(examination, "examine_all", lambda: examined(*findings))

    shown = CliRunner().invoke(command, ["doctor"], env={"COLUMNS": "200"})
    as_json = CliRunner().invoke(command, ["doctor", "--json"])

    assert (shown.exit_code, as_json.exit_code) == (status, status)
    found = json.loads(as_json.stdout)
    assert found["ok"] is (status == 0)
    assert found["parts"]["clickhouse"]["holdings"][0]["count"] == 1_234_567
    assert found["parts"]["clickhouse"]["holdings"][0]["oldest"] == "2026-11-22T12:00:00Z"
    assert [one["what"] for one in found["findings"]] == [one.what for one in findings]
    for text in ("1,234,567 rows", "4.8 MB", "30 days after arrived_at", *(one.remedy for one in findings)):
        assert text in shown.stdout


def test_where_nothing_runs_every_part_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLICKPULSE_HOME", str(tmp_path))
    monkeypatch.setenv("CLICKPULSE_CREDS_DIR", str(tmp_path))
    for name in ("REPORT_API_URL", "CLICKHOUSE_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("CLICKHOUSE_PASSWORD", "CLICKHOUSE_READER_PASSWORD"):
        monkeypatch.setenv(name, "secret-word")

    with stamina.set_testing(True, attempts=1):
        found = examination.examine_all()

    problems = {part.name: part.problem for part in found.parts if part.problem}
    assert set(problems) == {"kafka", "clickhouse", "s3", "reports"}
    assert "login" in problems["kafka"]
    assert "does not answer" in problems["clickhouse"]
    assert "S3_ACCESS_KEY" in problems["s3"]
    assert "does not answer" in problems["reports"]
    assert not found.ok
    assert {part.name for part in found.parts} >= {"disk", "settings"}
    assert "secret-word" not in json.dumps(commands.to_json(found))


def test_settings_that_do_not_fit_are_refused_before_anything_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CLICKPULSE_HOME", str(tmp_path))
    monkeypatch.setenv("REPORT_MINUTES_RETENTION_DAYS", "1")

    with pytest.raises(ConfigurationError, match="REPORT_MINUTES_RETENTION_DAYS=1"):
        examination.examine_all()


def test_cleaning_needs_a_stack_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLICKPULSE_HOME", str(tmp_path))

    with pytest.raises(ConfigurationError, match="there is no stack in"):
        commands._clean_airflow(30)
