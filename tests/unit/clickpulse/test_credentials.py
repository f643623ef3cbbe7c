"""Credentials are made once, kept, and readable by their owner alone."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from dotenv import dotenv_values

from clickpulse.credentials import generate_credentials
from clickpulse.settings import ClickHouseSettings, ReportReaderSettings, S3Settings, tokens_of


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLICKPULSE_CREDS_DIR", str(tmp_path))
    monkeypatch.setenv("CLICKPULSE_HOME", str(tmp_path / "home"))
    return tmp_path


def test_they_are_private_and_the_settings_find_them(folder: Path) -> None:
    written = generate_credentials()
    assert {file.parent for file in written} == {folder}
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in written)
    assert len(ClickHouseSettings.load().password.get_secret_value()) >= 24
    assert S3Settings.load().access_key


@pytest.mark.usefixtures("folder")
def test_a_second_time_changes_nothing() -> None:
    before = {file: file.read_bytes() for file in generate_credentials()}
    assert generate_credentials() == []
    assert {file: file.read_bytes() for file in before} == before


def test_only_what_is_missing_is_added(folder: Path) -> None:
    (folder / "clickhouse.creds").write_text("CLICKHOUSE_PASSWORD=chosen-by-hand\n")
    generate_credentials()
    values = dotenv_values(folder / "clickhouse.creds")
    assert values["CLICKHOUSE_PASSWORD"] == "chosen-by-hand"
    assert values["CLICKHOUSE_READER_PASSWORD"]


def test_tokens_take_the_place_of_an_old_installations_one(folder: Path) -> None:
    (folder / "report_api.creds").write_text("REPORT_API_TOKEN=of-an-earlier-version\n")
    generate_credentials()
    values = dotenv_values(folder / "report_api.creds")
    tokens = {values[f"REPORT_API_{scope}_TOKEN"] for scope in ("READ", "WRITE", "ADMIN")}
    assert len(tokens) == 3
    assert "of-an-earlier-version" not in tokens


def test_a_clients_file_follows_the_services_and_holds_nothing_else(folder: Path) -> None:
    generate_credentials()
    file = folder / "report_api.creds"
    file.write_text(file.read_text() + "REPORT_API_READ_TOKEN=new,old\n")
    generate_credentials()
    assert dotenv_values(folder / "report_api_reader.creds") == {"REPORT_API_READ_TOKEN": "new,old"}
    assert list(dotenv_values(folder / "report_api_writer.creds")) == ["REPORT_API_WRITE_TOKEN"]
    (folder / "report_api.creds").unlink()
    sent = ReportReaderSettings.load().read_token
    assert tokens_of(sent) == ["new", "old"]


def test_two_installations_get_different_secrets(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generate_credentials()
    monkeypatch.setenv("CLICKPULSE_CREDS_DIR", str(folder / "other"))
    generate_credentials()
    for file in (folder / "other").glob("*.creds"):
        mine, other = dotenv_values(folder / file.name), dotenv_values(file)
        assert mine.keys() == other.keys()
        secrets = mine.keys() - {"KAFKA_SASL_USERNAME"}
        assert not {mine[name] for name in secrets} & {other[name] for name in secrets}
