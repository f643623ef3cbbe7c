"""A request's body, decoded, in pieces of about a megabyte."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

from clickhouse.server.compression import Codec
from clickhouse.server.errors import QUERY_IS_TOO_LARGE, QueryError

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Run = Callable[..., Awaitable[Any]]
"""Runs a blocking function in a worker thread."""

PIECE_BYTES = 1 << 20
MAX_SQL_BYTES = 64 << 20


class ClientGoneError(Exception):
    """The client closed the connection before its request was answered."""


class Body:
    """Reads a body once: first its head, to look at, then all of it, in pieces."""

    def __init__(self, receive: Receive, decoder: Codec, run: Run) -> None:
        self._receive = receive
        self._decoder = decoder
        self._run = run
        self._head = b""
        self._complete = False
        self.received_bytes = 0

    async def _piece(self) -> bytes:
        """The next piece, decoded; may be empty before the end."""
        parts: list[bytes] = []
        size = 0
        while size < PIECE_BYTES and not self._complete:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            chunk = message.get("body", b"")
            parts.append(chunk)
            size += len(chunk)
            self._complete = not message.get("more_body", False)
        self.received_bytes += size
        raw = b"".join(parts)
        decoded: bytes = await self._run(self._decoder.update, raw) if raw else b""
        if self._complete:
            decoded += self._decoder.finish()
        return decoded

    async def head(self) -> bytes:
        """The first piece, without taking it; where the body is shorter, all of it."""
        while not self._head and not self._complete:
            self._head = await self._piece()
        return self._head

    async def take_head(self) -> bytes:
        """The first piece; `pieces` goes on after it."""
        head, self._head = await self.head(), b""
        return head

    async def pieces(self) -> AsyncIterator[bytes]:
        """All of the body."""
        head, self._head = self._head, b""
        if head:
            yield head
        while not self._complete:
            if piece := await self._piece():
                yield piece

    async def whole(self) -> bytes:
        """All of the body at once, for SQL text.

        Raises:
            QueryError: it is larger than any SQL text may be.
        """
        parts = []
        size = 0
        async for piece in self.pieces():
            size += len(piece)
            if size > MAX_SQL_BYTES:
                raise QueryError(QUERY_IS_TOO_LARGE, f"The query is larger than {MAX_SQL_BYTES} bytes")
            parts.append(piece)
        return b"".join(parts)
