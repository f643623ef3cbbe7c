"""Planted secrets are found however they were written, and only what is new is looked at."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from dotenv import dotenv_values

from clickpulse.credentials import generate_credentials
from tests.faults.canary import MARK, Search, needles, plant


@pytest.fixture
def creds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "creds"
    monkeypatch.setenv("CLICKPULSE_CREDS_DIR", str(folder))
    plant(folder)
    return folder


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder


def test_every_secret_carries_the_mark_and_the_start_keeps_it(creds: Path) -> None:
    before = {file.name: file.read_text() for file in creds.glob("*.creds")}
    generate_credentials()
    assert {name: (creds / name).read_text() for name in before} == before
    assert dotenv_values(creds / "clickhouse.creds")["CLICKHOUSE_PASSWORD"].startswith(MARK)
    assert dotenv_values(creds / "report_api_writer.creds")["REPORT_API_WRITE_TOKEN"].startswith(MARK)
    secret = dotenv_values(creds / "s3.creds")["S3_SECRET_KEY"]
    assert secret.startswith(MARK)
    assert len(secret) <= 40
    assert dotenv_values(creds / "kafka_sink.creds")["KAFKA_SASL_USERNAME"] == "sink"


@pytest.mark.parametrize("user", ["u", "us", "use"])
def test_a_password_is_found_in_a_basic_authorization_header(creds: Path, logs: Path, user: str) -> None:
    password = dotenv_values(creds / "clickhouse.creds")["CLICKHOUSE_PASSWORD"]
    header = base64.b64encode(f"{user}:{password}".encode()).decode()
    (logs / "server.log").write_text(f"Authorization: Basic {header}\n")
    assert Search(needles(creds)).new_in([logs])


def test_a_part_of_a_secret_and_one_without_the_mark_are_found(creds: Path, logs: Path) -> None:
    search = Search(needles(creds))
    (logs / "a.log").write_text(f"password={MARK[:]}...\n")
    fernet = dotenv_values(creds / "airflow.creds")["AIRFLOW__CORE__FERNET_KEY"]
    (logs / "b.log").write_text(f"key {fernet}\n")
    found = search.new_in([logs])
    assert any("a.log" in place for place in found)
    assert any("AIRFLOW__CORE__FERNET_KEY" in place and "b.log" in place for place in found)
    assert not any(fernet in place or MARK in place for place in found)


def test_names_and_harmless_lines_are_no_find(creds: Path, logs: Path) -> None:
    key = dotenv_values(creds / "s3.creds")["S3_ACCESS_KEY"]
    (logs / "s3.log").write_text(f"user clickpulse, access key {key}, principal sink\n")
    assert Search(needles(creds)).new_in([logs]) == []


def test_what_was_looked_at_is_not_looked_at_again_and_a_find_across_two_looks_is_made(creds: Path, logs: Path) -> None:
    search, file = Search(needles(creds)), logs / "a.log"
    file.write_text("all is well\n" * 100 + MARK[:10])
    assert search.new_in([logs]) == []
    with file.open("a") as more:
        more.write(MARK[10:] + "\n" + "all is well\n" * 100)
    assert len(search.new_in([logs])) == 1
    assert search.new_in([logs]) == []
    file.rename(logs / "a.log.1")
    (logs / "a.log").write_text("a new file\n")
    assert search.new_in([logs]) == []
