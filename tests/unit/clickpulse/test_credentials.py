"""Credentials are made once, kept, and readable by their owner alone."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from dotenv import dotenv_values

from clickpulse.credentials import generate_credentials
from clickpulse.settings import ClickHouseSettings, S3Settings


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


def test_two_installations_get_different_secrets(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generate_credentials()
    monkeypatch.setenv("CLICKPULSE_CREDS_DIR", str(folder / "other"))
    generate_credentials()
    for file in (folder / "other").glob("*.creds"):
        mine, other = dotenv_values(folder / file.name), dotenv_values(file)
        assert mine.keys() == other.keys()
        secrets = mine.keys() - {"KAFKA_SASL_USERNAME"}
        assert not {mine[name] for name in secrets} & {other[name] for name in secrets}
