"""A TCP proxy that misbehaves when told to, between two parts of the stack on this machine.

It stands where a setting lets another address in (`CLICKHOUSE_URL`, `S3_ENDPOINT`, `REPORT_API_URL`) and passes bytes
on, until `behaving` gives it something else to do. What it did is counted in the behaviour's `strikes`, so that a test
can tell a fault that was survived from one that never came.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Self

HOST = "127.0.0.1"
_CHUNK = 64 * 1024
_START_SECONDS = 10


class CutError(Exception):
    """The connection is to be reset, after `forward` has gone through."""

    def __init__(self, forward: bytes = b"") -> None:
        super().__init__(f"after {len(forward)} more bytes")
        self.forward = forward


@dataclass
class Connection:
    """What a behaviour keeps of one connection: bytes passed while it was in force, and whether a request matched."""

    passed: int = 0
    tail: bytes = b""
    matched: bool = False


class Behaviour:
    """Passes everything. `request` and `response` give the bytes to pass on, and raise `CutError` to reset."""

    def __init__(self) -> None:
        self.strikes = 0
        self._connections: dict[int, Connection] = {}

    async def request(self, connection: int, data: bytes) -> bytes:
        del connection
        return data

    async def response(self, connection: int, data: bytes) -> bytes:
        del connection
        return data

    def over(self) -> None:
        """Called when another behaviour is in force."""

    def _state(self, connection: int) -> Connection:
        return self._connections.setdefault(connection, Connection())


class Delay(Behaviour):
    """Each piece of data (at most 64 KiB) comes `seconds` later, in both directions."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    async def request(self, connection: int, data: bytes) -> bytes:
        del connection
        self.strikes += 1
        await asyncio.sleep(self._seconds)
        return data

    async def response(self, connection: int, data: bytes) -> bytes:
        return await self.request(connection, data)


class ResetAfter(Behaviour):
    """Each connection is reset once `size` bytes, both directions together, have passed.

    Args:
        size: bytes; 0 resets at the first one.
        times: how many connections are reset; None for all.
    """

    def __init__(self, size: int, times: int | None = None) -> None:
        super().__init__()
        self._size = size
        self._times = times

    async def request(self, connection: int, data: bytes) -> bytes:
        state = self._state(connection)
        room = self._size - state.passed
        if len(data) <= room or (self._times is not None and self.strikes >= self._times):
            state.passed += len(data)
            return data
        self.strikes += 1
        raise CutError(data[: max(0, room)])

    async def response(self, connection: int, data: bytes) -> bytes:
        return await self.request(connection, data)


class Blackhole(Behaviour):
    """Nothing goes through and nothing is refused, until another behaviour is in force; then what waited goes on."""

    def __init__(self) -> None:
        super().__init__()
        self._over = asyncio.Event()

    async def request(self, connection: int, data: bytes) -> bytes:
        del connection
        self.strikes += 1
        await self._over.wait()
        return data

    async def response(self, connection: int, data: bytes) -> bytes:
        return await self.request(connection, data)

    def over(self) -> None:
        self._over.set()


class DropResponse(Behaviour):
    """The request is passed on and done; its answer is thrown away and the connection reset, `times` in all.

    Args:
        match: requests that contain these bytes; every request where empty.
        times: how many answers are lost.
    """

    def __init__(self, match: bytes = b"", times: int = 1) -> None:
        super().__init__()
        self._match = match
        self._times = times

    async def request(self, connection: int, data: bytes) -> bytes:
        state = self._state(connection)
        seen = state.tail + data
        state.matched = state.matched or self._match in seen
        keep = len(self._match) - 1
        state.tail = seen[-keep:] if keep > 0 else b""
        return data

    async def response(self, connection: int, data: bytes) -> bytes:
        state = self._state(connection)
        if state.matched and self.strikes < self._times:
            self.strikes += 1
            raise CutError
        state.matched, state.tail = False, b""
        return data


@dataclass
class FaultProxy:
    """A context manager: listens on `port` of the loopback (0: a free one) and connects on to `upstream_port`."""

    upstream_port: int
    port: int = 0
    behaviour: Behaviour = field(default_factory=Behaviour)

    def __enter__(self) -> Self:
        self._ready = threading.Event()
        self._connections = 0
        self._failure: OSError | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name=f"proxy-{self.upstream_port}")
        self._thread.start()
        if not self._ready.wait(_START_SECONDS) or self._failure is not None:
            raise OSError(f"no proxy for port {self.upstream_port} on port {self.port}: {self._failure}")
        return self

    def __exit__(self, *_exception: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    @contextmanager
    def behaving(self, behaviour: Behaviour) -> Iterator[Behaviour]:
        """Misbehave in this way during the block, on open connections and on new ones."""
        before, self.behaviour = self.behaviour, behaviour
        try:
            yield behaviour
        finally:
            self.behaviour = before
            self._loop.call_soon_threadsafe(behaviour.over)

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            server = await asyncio.start_server(self._serve, HOST, self.port)
        except OSError as error:
            self._failure = error
            self._ready.set()
            return
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()  # leaving `asyncio.run` cancels what is still open

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        number = self._connections
        try:
            upstream_reader, upstream_writer = await asyncio.open_connection(HOST, self.upstream_port)
        except OSError:  # as the service itself would refuse
            _reset(writer)
            return
        ways = [
            asyncio.ensure_future(self._pass(number, reader, upstream_writer, to_upstream=True)),
            asyncio.ensure_future(self._pass(number, upstream_reader, writer, to_upstream=False)),
        ]
        try:
            await asyncio.gather(*ways)
        except (CutError, OSError):
            _reset(writer)
            _reset(upstream_writer)
        except asyncio.CancelledError:  # the proxy ends, and its connections with it
            return
        finally:
            for way in ways:
                way.cancel()
            for end in (writer, upstream_writer):
                with suppress(OSError):
                    end.close()

    async def _pass(
        self, number: int, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, to_upstream: bool
    ) -> None:
        """Until the source's end, which is passed on too: HTTP clients may close one direction only."""
        while data := await source.read(_CHUNK):
            behaviour = self.behaviour
            judge = behaviour.request if to_upstream else behaviour.response
            try:
                target.write(await judge(number, data))
                await target.drain()
            except CutError as cut:
                target.write(cut.forward)
                await target.drain()
                raise
        if target.can_write_eof():
            with suppress(OSError):
                target.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST: without lingering, what was not sent yet is thrown away as well."""
    raw = writer.get_extra_info("socket")
    if raw is not None:
        with suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
