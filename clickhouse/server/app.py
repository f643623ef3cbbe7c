"""The ASGI application: ClickHouse's HTTP interface."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog

from clickhouse.server.auth import User, Users
from clickhouse.server.body import ClientGoneError, Receive
from clickhouse.server.engine import Engine
from clickhouse.server.errors import QueryError
from clickhouse.server.handler import Exchange, Outcome, QueryHandler
from clickhouse.server.limits import Slots
from clickhouse.server.request import url_parameters
from clickhouse.server.sessions import Sessions
from clickhouse.server.space import SpaceGuard

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

_CLIENT_CLOSED_REQUEST = 499
_REAPER_SECONDS = 1.0

log = structlog.get_logger("clickhouse.server")


class App:
    """One server on one engine."""

    def __init__(self, engine: Engine, users: Users, space: SpaceGuard, *, max_connections: int) -> None:
        self._engine = engine
        self._space = space
        self._users = users
        self._threads = ThreadPoolExecutor(max_connections + 2, thread_name_prefix="query")
        self._sessions = Sessions()
        self._handler = QueryHandler(engine, self._sessions, space, Slots(max_connections), self._threads)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        self._space.start()
        reaper = asyncio.create_task(self._close_expired_sessions())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        reaper.cancel()
        await self._handler.stop()
        self._sessions.close()
        self._threads.shutdown()
        self._space.stop()
        self._engine.close()
        log.info("stopped")
        await send({"type": "lifespan.shutdown.complete"})

    async def _close_expired_sessions(self) -> None:
        while True:
            await asyncio.sleep(_REAPER_SECONDS)
            self._sessions.close_expired()

    async def _http(self, scope: Message, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        parameters = url_parameters(scope["query_string"])
        if path in ("/ping", "/replicas_status") or (path == "/" and method in ("GET", "HEAD") and not parameters):
            await _plain(send, 200, b"Ok.\n", head=method == "HEAD")
        elif method not in ("GET", "POST", "HEAD"):
            await _plain(send, 405, b"Send queries by POST\n", {"allow": "GET, HEAD, POST"})
        elif path != "/":
            text = f"There is no handle {path}\n\nUse / or /ping for health checks.\nSend queries by POST to /\n"
            await _plain(send, 404, text.encode())
        else:
            await self._query(scope, receive, send, parameters)

    async def _query(self, scope: Message, receive: Receive, send: Send, parameters: dict[str, str]) -> None:
        started = time.monotonic()
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        outcome = Outcome()
        user: User | None = None
        try:
            user = self._users.authenticate(headers, parameters)
            await self._handler.handle(Exchange(scope, headers, parameters, receive, send), user, outcome)
        except QueryError as error:
            outcome.code, outcome.status = error.code, outcome.status or error.status
            if not outcome.started:
                await self._error(send, error, outcome.query_id)
        except ClientGoneError:
            outcome.status = _CLIENT_CLOSED_REQUEST
        finally:
            log.info(
                "query",
                query_id=outcome.query_id,
                kind=outcome.kind,
                user=user.name if user else None,
                status=outcome.status or 500,
                code=outcome.code,
                ms=round((time.monotonic() - started) * 1000, 1),
                read_rows=outcome.read_rows,
                written_rows=outcome.written_rows,
                bytes_in=outcome.bytes_in,
                bytes_out=outcome.bytes_out,
            )

    async def _error(self, send: Send, error: QueryError, query_id: str) -> None:
        headers = {
            "X-ClickHouse-Exception-Code": str(error.code),
            "X-ClickHouse-Query-Id": query_id,
            "X-ClickHouse-Timezone": self._engine.timezone,
        }
        await _plain(send, error.status, error.message(self._engine.version).encode(), headers)


async def _plain(
    send: Send, status: int, body: bytes, headers: dict[str, str] | None = None, *, head: bool = False
) -> None:
    values = {"content-type": "text/plain; charset=UTF-8", "content-length": str(len(body))} | (headers or {})
    encoded = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in values.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": b"" if head else body})
