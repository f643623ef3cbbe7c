"""From a request to its response: reads the body, finds out what it asks, runs it, answers."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from clickhouse.server import execution, policy
from clickhouse.server.auth import Role, User
from clickhouse.server.blocks import BlockDecoder, Chain
from clickhouse.server.body import Body, ClientGoneError, Receive
from clickhouse.server.compression import decoder
from clickhouse.server.engine import Engine, Result
from clickhouse.server.errors import QueryError
from clickhouse.server.execution import Insertion, Job
from clickhouse.server.forms import read_form
from clickhouse.server.limits import Slots
from clickhouse.server.request import QueryRequest, query_request
from clickhouse.server.response import Response, Send
from clickhouse.server.sessions import Sessions
from clickhouse.server.space import SpaceGuard
from clickhouse.server.statement import Statement, parse

_KILL_AGAIN_SECONDS = 0.1

T = TypeVar("T")


@dataclass(frozen=True)
class Exchange:
    """An HTTP request and the way to answer it."""

    scope: MutableMapping[str, Any]
    headers: Mapping[str, str]
    """Names in lower case."""
    parameters: Mapping[str, str]
    """Those of the URL."""
    receive: Receive
    send: Send


@dataclass
class Outcome:
    """What the access log tells of a request; filled while it is handled."""

    query_id: str = ""
    kind: str | None = None
    status: int = 0
    code: int = 0
    started: bool = False
    read_rows: int = 0
    written_rows: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


class QueryHandler:
    """Handles queries on one engine."""

    def __init__(self, engine: Engine, sessions: Sessions, space: SpaceGuard, slots: Slots, threads: Executor) -> None:
        self._engine = engine
        self._sessions = sessions
        self._space = space
        self._slots = slots
        self._threads = threads
        self._running: set[str] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    async def stop(self) -> None:
        """Cancel what still runs and wait for its end."""
        while self._running:
            for tag in tuple(self._running):
                await self._run(self._engine.kill, tag)
            await asyncio.wait({asyncio.ensure_future(self._idle.wait())}, timeout=_KILL_AGAIN_SECONDS)

    async def handle(self, exchange: Exchange, user: User, outcome: Outcome) -> None:
        """Answer one request.

        Raises:
            QueryError: it cannot be done; where the response had begun, it says so already.
            ClientGoneError: nobody waits for the response any more.
        """
        request, body = await self._request(exchange)
        outcome.query_id = request.query_id
        statement, text = await self._statement(request, body)
        outcome.kind = statement.kind
        policy.check(statement.text, request.parameters.values())
        response = Response(exchange.send, request, timezone=self._engine.timezone)
        try:
            started = time.monotonic_ns()
            async with self._slots.take(), self._job(request, statement, user) as job:
                if statement.data_offset is not None:
                    result = await self._insert(job, text[statement.data_offset :], body)
                elif job.is_streamed:
                    result = await self._stream(job, response, exchange.receive, started)
                else:
                    result = await self._result(job, exchange.receive)
            if not statement.only_reads:
                await self._run(self._space.confirm)
            # Only now: a client sends its next query at the response's end, and the session must be free by then.
            if not response.started:
                has_result = statement.has_result or result.data
                await response.start(job.format if has_result else None, result, time.monotonic_ns() - started)
                await response.write(result.data)
            await response.finish()
            outcome.read_rows, outcome.written_rows = result.read_rows, result.written_rows
        except QueryError as error:
            outcome.status = 200 if response.started else 0
            outcome.started = response.started
            if response.started:
                await response.abort(error, self._engine.version)
            raise
        finally:
            outcome.bytes_in, outcome.bytes_out = body.received_bytes, response.sent_bytes
        outcome.status = 200

    async def _request(self, exchange: Exchange) -> tuple[QueryRequest, Body]:
        scope, headers = exchange.scope, exchange.headers
        if headers.get("content-type", "").startswith("multipart/form-data"):
            fields, files = await read_form(scope, exchange.receive)
            request = query_request(scope["method"], headers, {**exchange.parameters, **fields}, files)
            return request, Body(_nothing, decoder(None), self._run)
        request = query_request(scope["method"], headers, exchange.parameters)
        codec = decoder(headers.get("content-encoding"))
        return request, Body(exchange.receive, Chain(codec, BlockDecoder()) if request.decompress else codec, self._run)

    async def _statement(self, request: QueryRequest, body: Body) -> tuple[Statement, bytes]:
        """The statement and the text that it was read from; what follows in the body is data."""
        if request.sql.strip():
            statement = parse(request.sql)
            if statement.data_offset is not None:
                return statement, request.sql
            text = request.sql + b"\n" + await body.whole()
            return parse(text), text
        head = await body.head()
        statement = parse(head)
        if statement.data_offset is not None:
            return statement, await body.take_head()
        text = await body.whole()
        return (statement if len(text) == len(head) else parse(text)), text

    @asynccontextmanager
    async def _job(self, request: QueryRequest, statement: Statement, user: User) -> AsyncIterator[Job]:
        """A connection that is prepared for the request, of a session or of its own."""
        tag = f"{request.query_id} {uuid.uuid4()}"
        self._running.add(tag)
        self._idle.clear()
        try:
            if request.session is None:
                connection = await self._run(self._engine.connect, user.role)
                job = Job(connection, statement, request, user.role, tag)
                try:
                    await self._run(execution.prepare, job)
                    yield job
                finally:
                    await self._run(connection.close)
            else:
                with self._sessions.hold(user, request.session, lambda: self._session_connection(user.role)) as held:
                    job = Job(held, statement, request, user.role, tag)
                    async with self._borrowed(job):
                        yield job
        finally:
            self._running.discard(tag)
            if not self._running:
                self._idle.set()

    def _session_connection(self, role: Role) -> Any:
        connection = self._engine.connect(role)
        if role is Role.READER:
            connection.set({"readonly": "2"})
        return connection

    @asynccontextmanager
    async def _borrowed(self, job: Job) -> AsyncIterator[None]:
        loan = execution.borrowed(job)
        await self._run(loan.__enter__)
        try:
            yield
        finally:
            await self._run(loan.__exit__, None, None, None)

    async def _result(self, job: Job, receive: Receive) -> Result:
        """Run a statement without data to its end."""
        gone = asyncio.ensure_future(_client_gone(receive))
        try:
            return await self._until_done(job, gone, execution.run, job)
        finally:
            gone.cancel()

    async def _stream(self, job: Job, response: Response, receive: Receive, started: int) -> Result:
        """Send a query's blocks as the engine makes them."""
        gone = asyncio.ensure_future(_client_gone(receive))
        blocks = execution.stream(job)
        try:
            block = await self._until_done(job, gone, next, blocks, None)
            await response.start(job.format, None, time.monotonic_ns() - started)
            while block is not None:
                await response.write(block)
                if gone.done():
                    raise ClientGoneError
                block = await self._until_done(job, gone, next, blocks, None)
            return Result.empty()
        finally:
            gone.cancel()
            await self._run(blocks.close)

    async def _insert(self, job: Job, inline: bytes, body: Body) -> Result:
        """Feed the data to an INSERT; a client that goes away before their end leaves nothing behind."""
        insertion: Insertion = await self._run(Insertion, job)
        try:
            if job.format.lower() == "values":
                data = inline + await body.whole()
                policy.check_values(data)
                await self._run(insertion.append, data)
            else:
                if inline:
                    await self._run(insertion.append, inline)
                async for piece in body.pieces():
                    await self._run(insertion.append, piece)
            return await self._run(insertion.finish)
        except (QueryError, ClientGoneError, asyncio.CancelledError):
            await self._run(insertion.cancel)
            raise

    async def _until_done(self, job: Job, gone: asyncio.Future[None], work: Callable[..., T], *args: Any) -> T:
        """Run `work`; when the client goes away meanwhile and the statement only reads, cancel it."""
        future = asyncio.ensure_future(self._run(work, *args))
        if job.statement.only_reads:
            watched: set[asyncio.Future[Any]] = {future, gone}
            await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
            while not future.done():
                await self._run(self._engine.kill, job.tag)
                await asyncio.wait({future}, timeout=_KILL_AGAIN_SECONDS)
        return await future

    def _run(self, work: Callable[..., T], *args: Any) -> Awaitable[T]:
        return asyncio.get_running_loop().run_in_executor(self._threads, work, *args)


async def _client_gone(receive: Receive) -> None:
    """Ends when the client has closed its connection; the body has been read by then."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _nothing() -> MutableMapping[str, Any]:
    """The body of a form, once the form has been read."""
    return {"type": "http.request", "body": b"", "more_body": False}
