"""A probe answers in time, also where a service accepts connections and says nothing."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from local import probes

MARGIN_SECONDS = 3


@pytest.fixture
def silent_port() -> Iterator[int]:
    """The system accepts connections for a process that never looks at them, as for one that is stopped."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_silent_s3_is_told_in_time(silent_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "S3_ENDPOINT": f"http://127.0.0.1:{silent_port}", "S3_ACCESS_KEY": "a", "S3_SECRET_KEY": "b",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    began = time.monotonic()
    assert "timed out" in (probes.s3()() or "")
    assert time.monotonic() - began < probes.PROBE_SECONDS + MARGIN_SECONDS


def test_a_silent_web_server_is_told_in_time(silent_port: int) -> None:
    began = time.monotonic()
    assert "Timeout" in (probes.http(f"http://127.0.0.1:{silent_port}/healthz")() or "")
    assert time.monotonic() - began < probes.PROBE_SECONDS + MARGIN_SECONDS


def test_a_silent_postgres_is_told_in_time(silent_port: int) -> None:
    began = time.monotonic()
    assert "timeout" in (probes.postgres(f"postgresql://nobody@127.0.0.1:{silent_port}/postgres")() or "")
    assert time.monotonic() - began < probes.PROBE_SECONDS + MARGIN_SECONDS
