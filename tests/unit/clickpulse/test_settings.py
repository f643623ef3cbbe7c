"""Where settings come from, and what is said when they are missing or wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from clickpulse.errors import ConfigurationError
from clickpulse.settings import ClickHouseSettings, KafkaSettings, ReportSettings, S3Settings


@pytest.fixture(autouse=True)
def _empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, folder in (("HOME", "home"), ("ENV_DIR", "env"), ("CREDS_DIR", "creds")):
        (tmp_path / folder).mkdir()
        monkeypatch.setenv(f"CLICKPULSE_{name}", str(tmp_path / folder))
    monkeypatch.delenv("KAFKA_TOPIC", raising=False)


def test_the_environment_wins_then_the_stack_then_credentials_then_the_committed_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert KafkaSettings.load().topic == "user-interactions"
    for place, value in (("env/kafka.env", "a"), ("creds/kafka.creds", "b"), ("home/stack.env", "c")):
        (tmp_path / place).write_text(f"KAFKA_TOPIC={value}\n")
        assert KafkaSettings.load().topic == value
    monkeypatch.setenv("KAFKA_TOPIC", "d")
    assert KafkaSettings.load().topic == "d"


def test_all_missing_settings_are_named_with_the_place_for_them(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        S3Settings.load()
    for expected in ("S3_ACCESS_KEY", "S3_SECRET_KEY", "env/s3.env", str(tmp_path / "creds" / "s3.creds")):
        assert expected in str(refused.value)


def test_a_wrong_value_is_shown_but_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKHOUSE_PASSWORD", "canary-password")
    monkeypatch.setenv("CLICKHOUSE_READER_PASSWORD", "canary-password")
    monkeypatch.setenv("CLICKHOUSE_DATABASE", "no such name!")
    with pytest.raises(ConfigurationError) as refused:
        ClickHouseSettings.load()
    assert "CLICKHOUSE_DATABASE" in str(refused.value)
    assert "no such name!" in str(refused.value)
    assert "canary" not in str(refused.value)


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_ACCESS_KEY", "key")
    monkeypatch.setenv("S3_SECRET_KEY", "canary-secret")
    assert "canary" not in repr(S3Settings.load())


def test_a_time_without_zone_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPORT_START", "2026-11-22T10:05:00")
    with pytest.raises(ConfigurationError, match="time zone"):
        ReportSettings.load()


def test_kafka_without_credentials_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLICKPULSE_CREDS_DIR", str(tmp_path))
    with pytest.raises(ConfigurationError, match="KAFKA_SASL_USERNAME"):
        KafkaSettings.load().client_config()
