"""ClickHouse as the sink sees it: one insert statement, the stored positions, and what its errors mean.

| error | means | the sink |
|---|---|---|
| no answer, connection lost, HTTP error without a code | outcome unknown | pauses, looks at the positions, tries again |
| 210 (network), 209, 159 (timeouts), 241 (memory), 202 (too many queries), 252 (too many parts), 243 (disk full) and every code not named below: 60, 81 (no table, no database), 516 (credentials), … | a person or time mends it, the data is good | pauses and tries again |
| 86 with 404 | a row names a schema id that the registry does not know: bytes out of step | isolates the bad messages; pauses at one that is whole and whose id the registry knows |
| 86 otherwise | the registry answers, but not with the schema | pauses and tries again |
| 6, 26, 27, 32, 33, 34, 38, 41, 69, 70, 72, 117, 131, 321, 349, 376, 407, 691 | a value can't be parsed, converted, or breaks a rule | isolates the bad messages |
| 395 | an event is too far ahead of the clock | isolates the bad messages |
| 1001 with `avro::Exception` | the Avro decoder stopped: end of data, bad varint, … | isolates the bad messages |
| 8, 44 | the message's schema lacks a column, or has it with another type | isolates them; all of that schema go together |
"""  # noqa: E501 - a table

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from clickpulse.errors import ClickpulseError, TransientError
from clickpulse.future import FutureLimit
from connect.sink.batch import Batch

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_DATA_CODES = frozenset({6, 26, 27, 32, 33, 34, 38, 41, 69, 70, 72, 117, 131, 321, 349, 376, 395, 407, 691})
_THROWN = 395
_SCHEMA_CODES = frozenset({8, 44})
_REMOTE_ERROR = 86
_STD_EXCEPTION = 1001
_MAX_MESSAGE = 400

RUNNING_SECONDS = 5.0
"""How long inserts that are still running are waited for; with several sinks there may always be one."""
_LOOK_SECONDS = 0.02
_QUIET_LOOKS = 2


class InsertRefusedError(ClickpulseError):
    """ClickHouse refuses the data of an insert; nothing of it is stored.

    Args:
        code: ClickHouse's error code.
        message: ClickHouse's words.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def concerns_schema(self) -> bool:
        """Whether all messages of the same schema are refused alike."""
        return self.code in _SCHEMA_CODES

    @property
    def concerns_time(self) -> bool:
        """Whether an event is too far ahead of the clock."""
        return self.code == _THROWN

    @property
    def concerns_registry(self) -> bool:
        """Whether the registry told ClickHouse that there is no such schema."""
        return self.code == _REMOTE_ERROR


@dataclass(frozen=True)
class Statements:
    """`insert` takes AvroConfluent bodies and the parameters `starts`, `partitions`, `offsets`, `latest_ms`;
    `positions` gives `kafka_partition` and the highest stored offset; `running` counts the inserts that have not ended.
    """

    insert: str
    positions: str
    running: str


class EventWriter:
    """Inserts batches.

    Args:
        connect: makes a client; it may raise the driver's errors, as ClickHouse may be down.
        statements: to run.
        registry_url: Schema Registry as ClickHouse reaches it.
        future: how far ahead of the clock an event may be.
    """

    def __init__(
        self, connect: Callable[[], Client], statements: Statements, registry_url: str, future: FutureLimit
    ) -> None:
        self._connect = connect
        self._statements = statements
        self._settings = {"format_avro_schema_registry_url": registry_url}
        self._future = future
        self._client: Client | None = None

    def insert(self, batch: Batch) -> None:
        """Store the batch: all of it or nothing.

        Raises:
            InsertRefusedError: the data is at fault.
            TransientError: anything else; whether it was stored is unknown.
        """
        segments = batch.segments()
        parameters = {
            "starts": segments.starts,
            "partitions": segments.partitions,
            "offsets": segments.offsets,
            "latest_ms": self._future.latest_ms,
        }
        self._call(
            lambda client: client.command(
                self._statements.insert, parameters=parameters, data=batch.body(), settings=self._settings
            )
        )

    def stored_positions(self) -> dict[int, int]:
        """Highest stored offset by partition, after the inserts that are still running. Raises `TransientError`.

        An insert goes on for a moment when its sender is killed or the connection is lost.
        """
        self._await_running()
        rows = self._select(self._statements.positions)
        return {int(partition): int(offset) for partition, offset in rows}

    def _await_running(self) -> None:
        deadline = time.monotonic() + RUNNING_SECONDS
        quiet = 0
        while quiet < _QUIET_LOOKS and time.monotonic() < deadline:
            quiet = 0 if self._select(self._statements.running)[0][0] else quiet + 1
            if quiet < _QUIET_LOOKS:
                time.sleep(_LOOK_SECONDS)

    def _select(self, statement: str) -> Any:
        try:
            return self._call(lambda client: client.query(statement).result_rows)
        except InsertRefusedError as error:
            raise TransientError(f"ClickHouse: {error.message}") from error

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def _call(self, action: Callable[[Client], Any]) -> Any:
        from clickhouse_connect.driver.exceptions import Error
        from urllib3.exceptions import HTTPError

        try:
            if self._client is None:
                self._client = self._connect()
            return action(self._client)
        except Error as error:
            if error.code is None and isinstance(error.__cause__, HTTPError):
                reason = getattr(error.__cause__, "reason", None) or error.__cause__
                raise TransientError(f"ClickHouse not reached: {reason}") from error
            _raise(error.code, str(error))


def _raise(code: int | None, text: str) -> NoReturn:
    message = " ".join(text.split())[:_MAX_MESSAGE]
    if code in _DATA_CODES or code in _SCHEMA_CODES:
        raise InsertRefusedError(code, message)
    if code == _REMOTE_ERROR and "HTTP status code: 404" in text:
        raise InsertRefusedError(code, message)
    if code == _STD_EXCEPTION and "avro::Exception" in text:
        raise InsertRefusedError(code, message)
    raise TransientError(f"ClickHouse: {message}")
