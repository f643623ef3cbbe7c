"""The stack as its user handles it: a second start, a killed supervisor, a stop without leftovers."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path

import psutil
import pytest

from local.processes import stack_processes
from local.settings import PORT_FIELDS, LocalSettings
from local.supervision import Supervisor
from tests.support import run_clickpulse, wait_for


@pytest.mark.usefixtures("stack")
def test_a_second_start_changes_nothing() -> None:
    before = {name: info["pid"] for name, info in Supervisor().processes().items()}
    run_clickpulse("up", "--no-traffic", timeout=120)
    assert {name: info["pid"] for name, info in Supervisor().processes().items()} == before


@pytest.mark.usefixtures("stack")
def test_every_port_listens_on_loopback_alone() -> None:
    settings = LocalSettings.load()
    idle = {"connect_port"} if settings.sink == "embedded" else set()
    ports = {getattr(settings, name) for name in PORT_FIELDS if name not in idle}
    pids = {process.pid for process in stack_processes()}
    listening = [c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN and c.pid in pids]
    addresses = {connection.laddr.ip.removeprefix("::ffff:") for connection in listening}
    assert addresses <= {"127.0.0.1", "::1"}, f"reachable from outside: {listening}"
    assert ports <= {connection.laddr.port for connection in listening}


@pytest.mark.usefixtures("stack")
def test_no_secret_is_in_a_command_line_or_a_log(stack: Path) -> None:
    secrets = [
        line.split("=", 1)[1]
        for file in (stack / "creds").glob("*.creds")
        for line in file.read_text().splitlines()
        if "=" in line and not line.split("=", 1)[0].endswith(("_USERNAME", "_CLUSTER_ID"))
    ]
    assert len(secrets) > 8
    commands = [" ".join(process.cmdline()) for process in stack_processes()]
    logs = [file.read_text(errors="replace") for file in (stack / "logs").rglob("*.log")]
    assert commands
    assert logs
    for secret in secrets:
        assert not [text for text in commands if secret in text], "a secret is in a process's command line"
        assert not [text[:80] for text in logs if secret in text], "a secret is in a log"


@pytest.mark.usefixtures("stack")
def test_a_killed_service_comes_back() -> None:
    killed = Supervisor().processes()["report-api"]["pid"]
    os.kill(killed, signal.SIGKILL)
    wait_for(
        lambda: Supervisor().processes()["report-api"]["pid"] not in (0, killed), seconds=30, what="a new report API"
    )
    wait_for(
        lambda: next(s for s in _status()["services"] if s["name"] == "report-api")["health"] == "healthy",
        seconds=30,
        what="a healthy report API",
    )


def _status() -> dict:
    from local.status import stack_status

    return {"services": [vars(service) for service in stack_status()]}


@pytest.fixture
def small_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for tests that start and stop everything."""
    monkeypatch.setenv("CLICKPULSE_HOME", str(tmp_path))
    monkeypatch.setenv("CLICKPULSE_CREDS_DIR", str(tmp_path / "creds"))
    return tmp_path


def test_a_taken_port_is_refused_before_anything_starts(small_stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("LOCAL_CLICKHOUSE_PORT", str(taken.getsockname()[1]))
        with pytest.raises(AssertionError, match="is taken by process"):
            run_clickpulse("up", "--no-traffic", timeout=60)
    assert list(stack_processes()) == []
    assert not (small_stack / "data").exists()


def test_status_without_a_stack_says_how_to_start_one(small_stack: Path) -> None:
    with pytest.raises(AssertionError, match="status 1") as refused:
        run_clickpulse("status", "--json")
    assert json.loads(str(refused.value).split("\n", 1)[1].strip())["services"] == []
    assert not (small_stack / "run").exists()


def test_without_a_network_nothing_is_started(small_stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKPULSE_CACHE", str(small_stack / "cache"))
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # the discard port: nobody answers
    with pytest.raises(AssertionError, match=r"could not be had from Maven Central|Check that the Go module"):
        run_clickpulse("up", "--no-traffic", "--free-ports", timeout=240)
    assert list(stack_processes()) == []
    assert not (small_stack / "data").exists()
