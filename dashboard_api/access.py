"""Around every request: an id, one line in the log, the metrics. Never bodies, headers or tokens."""

from __future__ import annotations

import logging
import re
import time
import uuid
from http import HTTPStatus

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard_api.metrics import Metrics

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_POLLED = frozenset({"/healthz", "/readyz", "/metrics"})
_LASTING = frozenset({"/api/v1/reports/stream"})
"""Answers that go on as long as the reader likes: how long says nothing of how quick the service is."""

log = structlog.get_logger()


class AccessMiddleware:
    """ASGI middleware, so that answers are passed on as they come."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        status = int(HTTPStatus.INTERNAL_SERVER_ERROR)
        started = time.perf_counter()

        async def tagged(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                if standing := scope.get("state", {}).get("rate_limit"):
                    headers.update(standing.headers)
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, tagged)
            finally:
                self._record(scope, status, time.perf_counter() - started)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        method = scope["method"] if route != "unmatched" else "any"  # bounds the number of series
        self._metrics.requests.labels(method, route, str(status)).inc()
        if route not in _LASTING:
            self._metrics.latency.labels(method, route).observe(seconds)
        log.log(
            logging.DEBUG if route in _POLLED or status == HTTPStatus.NOT_MODIFIED else logging.INFO,
            "request",
            method=scope["method"],
            path=scope["path"],
            route=route,
            status=status,
            duration_ms=round(seconds * 1000, 1),
            token=scope.get("state", {}).get("caller"),
        )


def _request_id(scope: Scope) -> str:
    """The caller's X-Request-ID where it is a plain word, else a new one."""
    given = Headers(scope=scope).get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
