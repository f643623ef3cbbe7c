"""What ClickHouse's errors mean to the sink."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError
from urllib3.exceptions import MaxRetryError, NewConnectionError

from clickpulse.errors import TransientError
from clickpulse.future import FutureLimit
from connect.sink.batch import Batch
from connect.sink.writer import EventWriter, InsertRefusedError, Statements

NOW_MS = 1_700_000_000_000
FUTURE = FutureLimit(300, lambda: NOW_MS)
STATEMENTS = Statements(insert="INSERT …", positions="SELECT positions", running="SELECT running")


class FakeClient:
    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def command(self, statement: str, **options: Any) -> None:
        self.calls.append((statement, options))
        if self.error:
            raise self.error


@dataclass
class Answer:
    result_rows: list[tuple[int, ...]]


class BusyClient:
    """Inserts are running for some looks; the positions move until they end."""

    def __init__(self, running: list[int]) -> None:
        self.running = running

    def query(self, statement: str) -> Answer:
        if statement == STATEMENTS.running:
            return Answer([(self.running.pop(0),)])
        return Answer([(0, 99 - len(self.running)), (3, 7)])


def test_positions_are_read_when_no_insert_is_running() -> None:
    client = BusyClient([1, 0, 1, 1, 0, 0])
    writer = EventWriter(lambda: client, STATEMENTS, "http://registry/api", FUTURE)  # type: ignore[arg-type, return-value]
    assert writer.stored_positions() == {0: 99, 3: 7}


def insert(error: Exception | None, message: Any) -> FakeClient:
    client = FakeClient(error)
    writer = EventWriter(lambda: client, STATEMENTS, "http://registry/api", FUTURE)  # type: ignore[arg-type, return-value]
    writer.insert(Batch([message((0, 4), b"a"), message((0, 5), b"b"), message((2, 9), b"c")]))
    return client


def test_sends_the_bytes_and_their_numbering(message: Any) -> None:
    statement, options = insert(None, message).calls[0]
    assert statement == "INSERT …"
    assert options == {
        "data": b"abc",
        "parameters": {"starts": [0, 2], "partitions": [0, 2], "offsets": [4, 9], "latest_ms": NOW_MS + 300_000},
        "settings": {"format_avro_schema_registry_url": "http://registry/api"},
    }


@pytest.mark.parametrize(
    ("code", "text", "refused"),
    [
        (117, "Invalid magic byte", True),
        (33, "Cannot read all data", True),
        (376, "Cannot parse uuid zz", True),
        (70, "Value in column cannot be safely converted", True),
        (395, "Value passed to throwIf", True),
        (8, "Field event_id not found in Avro schema", True),
        (1001, "std::exception. Code: 1001, type: avro::Exception, e.what() = EOF reached", True),
        (1001, "std::exception. Code: 1001, type: std::bad_alloc, e.what() = std::bad_alloc", False),
        (86, "Received error from remote server /schemas/ids/328. HTTP status code: 404 'Not Found'", True),
        (86, "Received error from remote server /schemas/ids/1. HTTP status code: 503", False),
        (210, "Connection refused", False),
        (159, "Timeout exceeded", False),
        (241, "Memory limit exceeded", False),
        (252, "Too many parts", False),
        (60, "Table events does not exist", False),
        (516, "Authentication failed", False),
        (None, "no code", False),
    ],
)
def test_errors(code: int | None, text: str, refused: bool, message: Any) -> None:
    with pytest.raises(InsertRefusedError if refused else TransientError, match=text.split(" ", maxsplit=1)[0]):
        insert(DatabaseError(f"{text} (version 26.9)", code=code), message)


def test_a_lost_connection_names_its_cause(message: Any) -> None:
    error = OperationalError("Error executing HTTP request")
    refused = NewConnectionError(None, "connection refused")  # type: ignore[arg-type]
    error.__cause__ = MaxRetryError(None, "/?a=very&long=query", refused)  # type: ignore[arg-type]
    with pytest.raises(TransientError, match=r"ClickHouse not reached: .*connection refused") as caught:
        insert(error, message)
    assert "long=query" not in str(caught.value)
