"""Writing a response: headers, encoding, and an error that comes when the response has already begun."""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from clickhouse.server.blocks import BlockEncoder, Chain
from clickhouse.server.compression import Codec, encoder
from clickhouse.server.engine import Result
from clickhouse.server.errors import QueryError
from clickhouse.server.formats import content_type
from clickhouse.server.request import QueryRequest

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Response:
    """One response; `start`, then `write` as often as needed, then `finish`."""

    def __init__(self, send: Send, request: QueryRequest, *, timezone: str) -> None:
        self._send = send
        self._request = request
        self._timezone = timezone
        encoding: Codec = encoder(request.response_encoding)
        self._codec = Chain(BlockEncoder(), encoding) if request.compress else encoding
        self._tag = secrets.token_hex(8)
        self.started = False
        self.sent_bytes = 0

    async def start(self, fmt: str | None, result: Result | None, elapsed_ns: int) -> None:
        """Send the headers of a success; `fmt` is None for statements without a result."""
        headers = {
            "X-ClickHouse-Server-Display-Name": "clickpulse",
            "X-ClickHouse-Query-Id": self._request.query_id,
            "X-ClickHouse-Timezone": self._timezone,
            "X-ClickHouse-Summary": _summary(result, elapsed_ns),
            "X-ClickHouse-Exception-Tag": self._tag,
            "Content-Type": content_type(fmt) if fmt else "text/plain; charset=UTF-8",
        }
        if fmt:
            headers["X-ClickHouse-Format"] = fmt
        if self._request.response_encoding:
            headers["Content-Encoding"] = self._request.response_encoding
            headers["Vary"] = "Accept-Encoding"
        if self._request.session is not None:
            headers["X-ClickHouse-Session-Id"] = self._request.session.id
        encoded = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers.items()]
        self.started = True
        await self._send({"type": "http.response.start", "status": 200, "headers": encoded})

    async def write(self, data: bytes) -> None:
        await self._body(self._codec.update(data))

    async def finish(self) -> None:
        await self._body(self._codec.finish(), more=False)

    async def abort(self, error: QueryError, version: str) -> None:
        """Say in the body what went wrong, the way ClickHouse does, and leave the response unfinished."""
        message = error.message(version).rstrip("\n").encode()
        tag = self._tag.encode()
        text = b"\r\n__exception__\r\n%s\r\n%s\n%d %s\r\n__exception__\r\n" % (tag, message, len(message), tag)
        await self._body(self._codec.update(text) + self._codec.finish())

    async def _body(self, data: bytes, *, more: bool = True) -> None:
        if data or not more:
            self.sent_bytes += len(data)
            await self._send({"type": "http.response.body", "body": data, "more_body": more})


def _summary(result: Result | None, elapsed_ns: int) -> str:
    values = {
        "read_rows": result.read_rows if result else 0,
        "read_bytes": result.read_bytes if result else 0,
        "written_rows": result.written_rows if result else 0,
        "written_bytes": result.written_bytes if result else 0,
        "total_rows_to_read": result.read_rows if result else 0,
        "result_rows": result.rows if result else 0,
        "result_bytes": len(result.data) if result else 0,
        "elapsed_ns": elapsed_ns,
    }
    return json.dumps({name: str(value) for name, value in values.items()}, separators=(",", ":"))
