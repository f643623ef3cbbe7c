"""The proxy on loopback sockets, before a server that keeps what it is told."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.faults.proxy import Blackhole, CutError, Delay, DropResponse, FaultProxy, ResetAfter
from tests.support import wait_for

HOST = "127.0.0.1"
SECONDS = 5


class Echo:
    """Answers each piece with `ok:` and the piece; remembers everything."""

    def __init__(self) -> None:
        self.received = b""
        self._listener = socket.create_server((HOST, 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            try:
                while piece := connection.recv(65536):
                    self.received += piece
                    connection.sendall(b"ok:" + piece)
            except OSError:
                return


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[FaultProxy]:
    with FaultProxy(echo.port) as running:
        yield running


def connected(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection((HOST, proxy.port), timeout=SECONDS)


def ask(connection: socket.socket, text: bytes) -> bytes:
    connection.sendall(text)
    return answer(connection, len(text) + 3)


def answer(connection: socket.socket, size: int) -> bytes:
    got = b""
    while len(got) < size and (piece := connection.recv(65536)):
        got += piece
    return got


def test_everything_passes_both_ways_until_told_otherwise(proxy: FaultProxy) -> None:
    with connected(proxy) as connection:
        assert ask(connection, b"first") == b"ok:first"
        assert ask(connection, b"second") == b"ok:second"


def test_large_bodies_arrive_whole(proxy: FaultProxy, echo: Echo) -> None:
    body = bytes(range(256)) * 4000
    with connected(proxy) as connection:
        sender = threading.Thread(target=connection.sendall, args=(body,))
        sender.start()
        seen = b""
        while len(echo.received) < len(body):
            seen += connection.recv(65536)
        sender.join()
    assert echo.received == body
    assert seen.startswith(b"ok:" + body[:1000])


def test_one_closed_direction_closes_the_other_side_too(proxy: FaultProxy) -> None:
    with connected(proxy) as connection:
        assert ask(connection, b"last") == b"ok:last"
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""


def test_latency_is_added_both_ways(proxy: FaultProxy) -> None:
    with connected(proxy) as connection, proxy.behaving(Delay(0.15)) as behaviour:
        began = time.monotonic()
        assert ask(connection, b"slow") == b"ok:slow"
        assert time.monotonic() - began >= 0.3
    assert behaviour.strikes == 2


def test_a_connection_is_reset_after_so_many_bytes_in_the_middle_of_a_request(proxy: FaultProxy, echo: Echo) -> None:
    with proxy.behaving(ResetAfter(1000)) as behaviour, connected(proxy) as connection:
        connection.sendall(b"y" * 5000)
        with pytest.raises(ConnectionResetError):
            answer(connection, 5003)
    assert behaviour.strikes == 1
    wait_for(lambda: len(echo.received) == 1000, seconds=SECONDS, what="the bytes before the reset")


def test_connections_that_were_open_before_are_reset_as_well(proxy: FaultProxy) -> None:
    with connected(proxy) as connection:
        assert ask(connection, b"before") == b"ok:before"
        with proxy.behaving(ResetAfter(0)), pytest.raises(ConnectionError):
            ask(connection, b"now")


def test_resets_end_after_the_given_number(proxy: FaultProxy) -> None:
    with proxy.behaving(ResetAfter(0, times=1)):
        with connected(proxy) as connection, pytest.raises(ConnectionError):
            ask(connection, b"first")
        with connected(proxy) as connection:
            assert ask(connection, b"second") == b"ok:second"


def test_a_black_hole_answers_nothing_and_lets_go_of_what_it_held(proxy: FaultProxy, echo: Echo) -> None:
    with connected(proxy) as connection:
        with proxy.behaving(Blackhole()) as behaviour:
            connection.sendall(b"lost?")
            wait_for(lambda: behaviour.strikes, seconds=SECONDS, what="the proxy to hold it up")
            connection.settimeout(0.3)
            with pytest.raises(TimeoutError):
                connection.recv(1)
            assert echo.received == b""
        connection.settimeout(SECONDS)
        assert answer(connection, 8) == b"ok:lost?"


def test_the_answer_is_lost_after_the_request_was_done(proxy: FaultProxy, echo: Echo) -> None:
    with proxy.behaving(DropResponse(b"INSERT", times=1)) as behaviour:
        with connected(proxy) as connection:
            assert ask(connection, b"SELECT 1") == b"ok:SELECT 1", "other requests are left alone"
            connection.sendall(b"INSERT INTO")
            with pytest.raises(ConnectionResetError):
                connection.recv(1)
        assert echo.received == b"SELECT 1INSERT INTO"
        assert behaviour.strikes == 1
        with connected(proxy) as connection:
            assert ask(connection, b"INSERT again") == b"ok:INSERT again", "it was to be lost once"


def test_a_match_is_found_where_two_pieces_meet_and_not_across_two_requests() -> None:
    async def pieces(behaviour: DropResponse) -> None:
        await behaviour.request(1, b"a spl")
        await behaviour.request(1, b"it one")
        with pytest.raises(CutError):
            await behaviour.response(1, b"done")
        await behaviour.request(2, b"a spl")
        assert await behaviour.response(2, b"done") == b"done"
        await behaviour.request(2, b"it")
        assert await behaviour.response(2, b"done") == b"done"

    behaviour = DropResponse(b"split", times=2)
    asyncio.run(pieces(behaviour))
    assert behaviour.strikes == 1


def test_a_service_that_is_down_is_refused_as_it_would_itself() -> None:
    with socket.socket() as bound:  # and not listening, so that no other gets the port, the proxy itself included
        bound.bind((HOST, 0))
        upstream = bound.getsockname()[1]
        # The reset may come before the connection is made or after.
        with FaultProxy(upstream) as proxy, pytest.raises(ConnectionResetError), connected(proxy) as connection:
            connection.recv(1)


def test_a_port_that_is_taken_is_told(echo: Echo) -> None:
    with pytest.raises(OSError, match=str(echo.port)), FaultProxy(1, port=echo.port):
        pass
