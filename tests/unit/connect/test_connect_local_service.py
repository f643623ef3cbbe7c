"""`SINK=connect`: Kafka Connect in the embedded sink's place."""

from __future__ import annotations

from pathlib import Path

import pytest

from clickpulse.credentials import generate_credentials
from clickpulse.settings import stack_env_file
from local.services import Service, all_services
from local.settings import LocalSettings
from local.stack import open_stack, write_stack_env


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKPULSE_HOME", str(tmp_path))
    monkeypatch.setenv("CLICKPULSE_CREDS_DIR", str(tmp_path / "creds"))
    monkeypatch.delenv("SINK", raising=False)
    generate_credentials()


def services() -> dict[str, Service]:
    return {service.name: service for service in all_services(open_stack(LocalSettings.load()))}


def test_one_sink_runs_and_airflow_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    embedded = services()
    assert "sink" in embedded
    assert "connect" not in embedded
    assert "sink" in embedded["airflow-scheduler"].needs
    monkeypatch.setenv("SINK", "connect")
    connect = services()
    assert "sink" not in connect
    assert set(connect["connect"].needs) == {"kafka", "registry", "clickhouse"}
    assert "connect" in connect["airflow-scheduler"].needs
    assert embedded.keys() - {"sink"} == connect.keys() - {"connect"}


def test_later_commands_know_the_sink_and_its_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as first:
        first.setenv("SINK", "connect")
        first.setenv("CONNECT_SINK_ARCHIVE", "/archives/sink.zip")
        first.setenv("CONNECT_SINK_SHA256", "ab" * 32)
        write_stack_env(LocalSettings.load())
    assert LocalSettings.load().sink == "connect"
    assert "CONNECT_SINK_ARCHIVE=/archives/sink.zip" in stack_env_file().read_text()
    assert "connect" in services()
    write_stack_env(LocalSettings.load())
    assert f"CONNECT_SINK_SHA256={'ab' * 32}" in stack_env_file().read_text()
    monkeypatch.setenv("SINK", "embedded")
    assert "sink" in services()
