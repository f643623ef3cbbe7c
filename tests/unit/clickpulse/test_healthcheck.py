"""The containers' health check, against small servers in this process."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from clickpulse.certificates import ensure_certificates
from clickpulse.healthcheck import main, problem
from clickpulse.settings import certs_dir
from clickpulse.tls import server_context

NO_CA = Path("/nonexistent/ca.crt")


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"scheduler": {"status": "healthy"}}'
        self.send_response(200 if self.path == "/readyz" else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def tls_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setenv("CLICKPULSE_CREDS_DIR", str(tmp_path))
    ensure_certificates()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    context = server_context(certs_dir() / "kafka.crt", certs_dir() / "kafka.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_answer_is_well_and_an_error_is_not(port: int) -> None:
    assert problem(f"http://127.0.0.1:{port}/readyz", ca=NO_CA) == ""
    assert "HTTP 503" in problem(f"http://127.0.0.1:{port}/healthz", ca=NO_CA)
    assert problem(f"http://127.0.0.1:{port}/healthz", ca=NO_CA, any_answer=True) == ""


def test_a_member_of_the_answer_has_to_be_so(port: int) -> None:
    url = f"http://127.0.0.1:{port}/readyz"
    assert problem(url, ca=NO_CA, member="scheduler.status=healthy") == ""
    assert "scheduler.status is healthy" in problem(url, ca=NO_CA, member="scheduler.status=unhealthy")
    assert "has no triggerer.status" in problem(url, ca=NO_CA, member="triggerer.status=healthy")


def test_nobody_there(capsys: pytest.CaptureFixture[str]) -> None:
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    for scheme in ("http", "https", "tcp", "tls"):
        assert "ConnectionRefusedError" in problem(f"{scheme}://127.0.0.1:{port}", ca=NO_CA)
    assert main([f"tcp://127.0.0.1:{port}"]) == 1
    assert "refused" in capsys.readouterr().err


def test_tls_is_trusted_by_the_private_ca_alone(tls_port: int) -> None:
    ca = certs_dir() / "ca.crt"
    assert problem(f"tls://127.0.0.1:{tls_port}", ca=ca) == ""
    assert problem(f"https://localhost:{tls_port}/readyz", ca=ca) == ""
    assert "CERTIFICATE_VERIFY_FAILED" in problem(f"tls://127.0.0.1:{tls_port}", ca=NO_CA)


def test_a_plain_port_is_no_tls(port: int) -> None:
    assert problem(f"tcp://127.0.0.1:{port}", ca=NO_CA) == ""
    assert problem(f"tls://127.0.0.1:{port}", ca=NO_CA)


def test_a_file_has_to_be_fresh(tmp_path: Path) -> None:
    file = tmp_path / "producer.json"
    assert "No such file" in problem(file.as_uri(), ca=NO_CA)
    file.write_text("{}")
    assert main([file.as_uri()]) == 0
    old = file.stat().st_mtime - 120
    os.utime(file, (old, old))
    assert "last written" in problem(file.as_uri(), ca=NO_CA)


@pytest.mark.parametrize("url", ["127.0.0.1:80", "ftp://127.0.0.1:21", "http://127.0.0.1", ""])
def test_what_is_no_address_is_said(url: str) -> None:
    assert "is no address" in problem(url, ca=NO_CA)
