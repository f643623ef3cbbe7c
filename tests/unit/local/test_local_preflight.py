"""What `up` refuses to start on, and what it says."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from clickpulse.errors import ConfigurationError
from local import preflight
from local.settings import PORT_FIELDS, LocalSettings


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKPULSE_HOME", str(tmp_path))
    monkeypatch.setenv("CLICKPULSE_CACHE", str(tmp_path))


def settings(**values: object) -> LocalSettings:
    return LocalSettings.load(**(preflight.free_ports() | values))


def test_free_ports_pass_and_differ() -> None:
    ports = preflight.free_ports()
    assert set(ports) == set(PORT_FIELDS)
    assert len(set(ports.values())) == len(ports)
    preflight.check(settings(min_memory_mb=1, min_disk_mb=1))


def test_a_taken_port_is_named_with_its_service_owner_and_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError) as refused:
            preflight.check(settings(airflow_port=port, min_memory_mb=1, min_disk_mb=1))
    message = str(refused.value)
    assert f"port {port} (airflow) is taken by process" in message
    assert "LOCAL_AIRFLOW_PORT" in message
    assert "nothing was started" in message


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(ConfigurationError) as refused:
        preflight.check(settings(min_memory_mb=10**9, min_disk_mb=10**9))
    assert "memory" in str(refused.value)
    assert "are free for" in str(refused.value)
