"""Health and metrics over HTTP: `/healthz`, `/readyz`, `/metrics`."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from clickpulse.errors import ConfigurationError


@dataclass(frozen=True)
class Answer:
    """What a request is answered with."""

    status: int
    content_type: str
    body: bytes


class Status(Protocol):
    """What either sink tells of itself."""

    registry: CollectorRegistry

    def healthy(self) -> bool:
        """Whether a restart would not help."""

    def ready(self) -> bool:
        """Whether events flow."""

    def snapshot(self) -> dict[str, Any]:
        """The health page's content."""


Door = Callable[[str], Answer | None]
"""Answers further paths; None for one that it does not know."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], status: Status, door: Door) -> None:
        self.status = status
        self.door = door
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10
    server_version = "clickpulse-sink"
    sys_version = ""

    def do_GET(self) -> None:
        status = self.server.status
        if self.path == "/healthz":
            self._answer_json(status, good=status.healthy())
        elif self.path == "/readyz":
            self._answer_json(status, good=status.ready())
        elif self.path == "/metrics":
            self._answer(HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(status.registry))
        elif (answer := self.server.door(self.path)) is not None:
            self._answer(answer.status, answer.content_type, answer.body)
        else:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"see /healthz, /readyz and /metrics\n")

    def _answer_json(self, status: Status, *, good: bool) -> None:
        code = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
        self._answer(code, "application/json", json.dumps(status.snapshot()).encode())

    def _answer(self, code: int, content_type: str, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing: a probe a second is not worth a line."""


@contextmanager
def serving(host: str, port: int, status: Status, door: Door = lambda _: None) -> Iterator[int]:
    """Answer while the block runs; gives the port (a free one for 0). `ConfigurationError` if it is taken."""
    try:
        server = _Server((host, port), status, door)
    except OSError as error:
        raise ConfigurationError(f"SINK_HEALTH_PORT {port} on {host} can't be opened: {error.strerror}") from error
    thread = threading.Thread(target=server.serve_forever, name="health", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
