"""The embedded ClickHouse on a disk that gets full: what it acknowledged is there afterwards."""

from __future__ import annotations

import itertools
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Self

import httpx
import pytest

from tests.faults.scenarios.disks import fill, free_bytes
from tests.support import wait_for

if TYPE_CHECKING:
    from conftest import Server

DISK_MB = 500
RESERVE_MB = 20
NEEDED_BYTES = (RESERVE_MB + 16) * 1_000_000
ROUNDS = 8
FULL_SECONDS = 1
SECONDS = 30
NOT_ENOUGH_SPACE = "243"


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def small(make_server: Callable[..., Server]) -> Iterator[Server]:
    """A server whose data are on a file system of `DISK_MB`."""
    server = make_server(CLICKHOUSE_SERVER_RESERVE_MB=str(RESERVE_MB))
    data = server.folder / "data"
    data.mkdir()
    if shutil.which("mount") is None:
        pytest.skip("there is no mount command for a small file system")
    mounted = run("mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tests", str(data))
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted, which takes root: {mounted.stderr.strip()}")
    try:
        yield server.start()
        server.stop()
    finally:
        assert run("umount", "--lazy", str(data)).returncode == 0


@pytest.fixture
def numbers(small: Server) -> Server:
    table = "CREATE TABLE tests.numbers (id UInt64, text String) ENGINE = MergeTree ORDER BY id"
    for statement in ("CREATE DATABASE tests", table):
        answer = small.post(statement)
        assert answer.status_code == 200, answer.text
    return small


def insert(server: Server, first: int, count: int) -> httpx.Response:
    rows = "SELECT number, toString(generateUUIDv4()) FROM numbers({first:UInt64}, {count:UInt64})"
    answer: httpx.Response = server.post(
        "INSERT INTO tests.numbers " + rows, param_first=str(first), param_count=str(count)
    )
    return answer


def ballast_of(server: Server) -> Path:
    return Path(server.folder, "data", "ballast")


def test_without_space_inserts_are_refused_until_there_is_some_again(numbers: Server) -> None:
    assert insert(numbers, 0, 10).status_code == 200
    ballast = ballast_of(numbers)
    wait_for(lambda: ballast.with_name("reserve").exists(), seconds=SECONDS, what="the reserve")
    fill(ballast)
    refused = insert(numbers, 10, 10)
    assert refused.headers["x-clickhouse-exception-code"] == NOT_ENOUGH_SPACE
    wait_for(lambda: free_bytes(ballast.parent) >= RESERVE_MB * 10**6, seconds=SECONDS, what="the reserve's space")
    assert insert(numbers, 10, 10).headers["x-clickhouse-exception-code"] == NOT_ENOUGH_SPACE
    assert numbers.post("SELECT count() FROM tests.numbers").text == "10\n", "it can still be read"
    ballast.unlink()
    wait_for(lambda: insert(numbers, 10, 10).status_code == 200, seconds=SECONDS, what="an insert")
    wait_for(lambda: ballast.with_name("reserve").exists(), seconds=SECONDS, what="the reserve to be laid aside again")
    assert "disk_nearly_full" in numbers.log.read_text()


def test_a_broken_merge_is_put_aside_for_what_it_was_made_from(make_server: Callable[..., Server]) -> None:
    """As after a full disk, or a power cut: the next process finds files of the part without content."""
    server = make_server().start()
    server.post("CREATE DATABASE tests")
    server.post("CREATE TABLE tests.numbers (id UInt64, text String) ENGINE = MergeTree ORDER BY id")
    for first in (0, 10, 20):
        assert insert(server, first, 10).status_code == 200
    assert server.post("OPTIMIZE TABLE tests.numbers FINAL").status_code == 200
    (merged,) = server.post("SELECT path FROM system.parts WHERE table = 'numbers' AND active").text.splitlines()
    for file in Path(merged).iterdir():
        file.write_bytes(b"")
    server.signal(signal.SIGKILL)
    server.start()
    assert server.post("SELECT count(), uniqExact(id) FROM tests.numbers WHERE length(text) = 36").text == "30\t30\n"
    assert "broken-on-start" in server.post("SELECT name FROM system.detached_parts").text


class Writer:
    """Inserts rows as fast as it can, starting the server again where it has ended, as its supervisor would."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self.acknowledged: set[int] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def has(self, rows: int) -> Callable[[], bool]:
        return lambda: len(self.acknowledged) >= rows

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _write(self) -> None:
        for first in itertools.count(0, 20):
            while not self._stored(first):
                if self._ended.is_set():
                    return
            self.acknowledged.update(range(first, first + 20))
            if self._ended.is_set():
                return

    def _stored(self, first: int) -> bool:
        try:
            return insert(self._server, first, 20).status_code == 200
        except httpx.TransportError:
            assert self._server.process is not None
            if self._server.process.poll() is not None:
                self._server.start()
            return False


def test_what_was_acknowledged_outlives_a_disk_that_gets_full_at_once(numbers: Server) -> None:
    """The engine takes no notice when a merge has no space: without the guard rows are lost in nearly every run."""
    ballast = ballast_of(numbers)
    with Writer(numbers) as writer:
        for number in range(ROUNDS):
            wait_for(writer.has(500 * (number + 1)), seconds=SECONDS, what="500 rows")
            fill(ballast)
            time.sleep(FULL_SECONDS)  # how long the disk is full
            ballast.unlink()
    answer = numbers.post("SELECT DISTINCT id FROM tests.numbers WHERE length(text) = 36")
    assert answer.status_code == 200, answer.text
    found = {int(line) for line in answer.text.splitlines()}
    assert len(writer.acknowledged) > ROUNDS * 500
    assert writer.acknowledged <= found, f"{len(writer.acknowledged - found)} acknowledged rows are lost"
    assert numbers.post("CHECK TABLE tests.numbers SETTINGS check_query_single_value_result = 1").text == "1\n"
