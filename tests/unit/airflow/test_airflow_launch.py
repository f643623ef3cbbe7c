"""What an Airflow process of the distributed profile gets to know, and from where."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from dotenv import dotenv_values

from clickpulse.airflow.launch import environment, keep_first_minute
from clickpulse.errors import ConfigurationError


@pytest.fixture(autouse=True)
def files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("CLICKPULSE_HOME", "CLICKPULSE_ENV_DIR", "CLICKPULSE_CREDS_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("REDIS_HOST", "redis")
    contents = {
        "airflow.env": "AIRFLOW__CORE__EXECUTOR=Local\nAIRFLOW__CORE__PARALLELISM=4\nAIRFLOW__API__WORKERS=1\n",
        "airflow_celery.env": "AIRFLOW__CORE__EXECUTOR=CeleryExecutor\nAIRFLOW__CORE__PARALLELISM=8\n",
        "airflow.creds": "AIRFLOW__CORE__FERNET_KEY=a-key\nAIRFLOW_ADMIN_PASSWORD=for-people\n",
        "redis_airflow.creds": "REDIS_PASSWORD=redis-password\n",
    }
    for name, text in contents.items():
        (tmp_path / name).write_text(text)


def test_celerys_file_comes_before_the_common_one_and_the_environment_before_both() -> None:
    found = environment({"AIRFLOW__CORE__PARALLELISM": "32"})
    named = {name: found[f"AIRFLOW__{name}"] for name in ("CORE__EXECUTOR", "CORE__PARALLELISM", "API__WORKERS")}
    assert named == {"CORE__EXECUTOR": "CeleryExecutor", "CORE__PARALLELISM": "32", "API__WORKERS": "1"}


def test_secrets_come_from_their_files_and_peoples_stay_there() -> None:
    found = environment({})
    assert found["AIRFLOW__CELERY__BROKER_URL"] == "redis://airflow:redis-password@redis:6379/0"
    assert found["AIRFLOW__CORE__FERNET_KEY"] == "a-key"
    assert "for-people" not in found.values()


def test_a_missing_password_is_named(tmp_path: Path) -> None:
    (tmp_path / "redis_airflow.creds").unlink()
    with pytest.raises(ConfigurationError, match="REDIS_PASSWORD"):
        environment({})


def test_the_first_minute_stays_what_it_was(tmp_path: Path) -> None:
    file = tmp_path / "made" / "stack.env"
    keep_first_minute(file, datetime(2026, 11, 22, 10, 5, 59, tzinfo=UTC))
    keep_first_minute(file, datetime(2027, 1, 1, tzinfo=UTC))
    assert dotenv_values(file) == {"REPORT_START": "2026-11-22T10:05:00Z"}
