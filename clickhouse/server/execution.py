"""Running one statement on one connection; everything here blocks and belongs into worker threads."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from clickhouse.server.auth import Role
from clickhouse.server.engine import Connection, Inserter, Result
from clickhouse.server.errors import READONLY, QueryError
from clickhouse.server.formats import is_streamed
from clickhouse.server.request import External, QueryRequest
from clickhouse.server.statement import Statement, setting_names
from clickhouse.sql_text import literal

_ALLOWED_READONLY = frozenset({"SET", "USE"})
_INPUT_SETTINGS = {"max_threads": "1", "max_insert_threads": "1"}
"""With one thread the rows of input() keep the order of the body."""


@dataclass(frozen=True)
class Job:
    """A statement with all it needs to run."""

    connection: Connection
    statement: Statement
    request: QueryRequest
    role: Role
    tag: str
    """Marks the running query in the engine, to cancel it by."""

    @property
    def parameters(self) -> Mapping[str, str]:
        return self.request.parameters

    @property
    def format(self) -> str:
        """The format of the result, or of an INSERT's data."""
        return self.statement.format or self.request.default_format

    @property
    def is_streamed(self) -> bool:
        """Whether the result is sent while it is made."""
        return self.statement.is_select and is_streamed(self.format) and not self.request.wait_for_end


def prepare(job: Job) -> None:
    """Apply the request to a connection of its own, which is not used again afterwards."""
    connection, request = job.connection, job.request
    if request.database:
        connection.execute(f"USE {_identifier(request.database)}")
    connection.set(_settings(job))
    if readonly := _readonly(job):
        connection.set({"readonly": readonly})
    _create_external(connection, request.external)


@contextmanager
def borrowed(job: Job) -> Iterator[None]:
    """Apply the request to a session's connection, and take it back afterwards.

    Raises:
        QueryError: a GET request, or one with `readonly`, that would change something: on a connection that lives on,
            the engine could not be made writable again.
    """
    connection, request = job.connection, job.request
    _readonly(job)
    changes = not job.statement.only_reads and job.statement.kind not in _ALLOWED_READONLY
    if changes and (request.method == "GET" or request.settings.get("readonly", "0") != "0"):
        raise QueryError(READONLY, "Cannot execute query in readonly mode. GET implies readonly: use POST")
    database = connection.text("SELECT currentDatabase()")
    settings = _settings(job)
    before = _current(connection, [*settings, *setting_names(job.statement.settings or ""), *_INPUT_SETTINGS])
    if request.database:
        connection.execute(f"USE {_identifier(request.database)}")
    try:
        connection.set(settings)
        _create_external(connection, request.external)
        yield
    finally:
        for table in request.external:
            connection.execute(f"DROP TEMPORARY TABLE IF EXISTS {_identifier(table)}")
        if request.database and job.statement.kind != "USE":
            connection.execute(f"USE {_identifier(database)}")
        # A name that the engine does not know was refused above and needs no undoing.
        undo = ", ".join(f"{name} = {value}" for name, value in before.items())
        if undo:
            connection.execute(f"SET {undo}")


def run(job: Job) -> Result:
    """Run a statement without data to its end."""
    return job.connection.execute(job.statement.text, job.format, job.parameters)


def stream(job: Job) -> Generator[bytes]:
    """The result of a query block by block."""
    return job.connection.stream(job.statement.text, job.format, job.parameters)


class Insertion:
    """An INSERT whose data come with the request.

    For `INSERT … SELECT … FROM input(…)` the data go into a temporary table first: the engine cannot read a body
    inside a SELECT. Rows keep their order, and nothing is stored when one of them cannot be read.
    """

    _TABLE = "_input"

    def __init__(self, job: Job) -> None:
        self._job = job
        self._connection = job.connection
        statement = job.statement
        if statement.input is not None:
            self._connection.set(_INPUT_SETTINGS)
        if statement.settings:
            self._connection.execute(f"SET {statement.settings}")
        for name, value in job.parameters.items():
            self._connection.execute(f"SET param_{name} = {literal(value)}")
        target = statement.text
        if statement.input is not None:
            self._connection.execute(
                f"CREATE TEMPORARY TABLE {self._TABLE} ({statement.input.structure}) ENGINE = Memory"
            )
            target = f"INSERT INTO {self._TABLE}"
        self._inserter: Inserter = self._connection.insert(target, job.format)

    def append(self, data: bytes) -> None:
        self._inserter.append(data)

    def finish(self) -> Result:
        """Store the rows."""
        result = self._inserter.finish()
        call = self._job.statement.input
        if call is None:
            return result
        try:
            return self._connection.execute(call.replaced_by(self._TABLE), parameters=self._job.parameters)
        finally:
            self._drop()

    def cancel(self) -> None:
        """Forget what was appended."""
        with suppress(QueryError):  # after an error of its own there is nothing left to cancel
            self._inserter.cancel()
        self._drop()

    def _drop(self) -> None:
        if self._job.statement.input is not None:
            self._connection.execute(f"DROP TEMPORARY TABLE IF EXISTS {self._TABLE}")


def _readonly(job: Job) -> str | None:
    """What `readonly` has to be: the reader and GET may not do without.

    Raises:
        QueryError: the request wants to get rid of it.
    """
    asked = job.request.settings.get("readonly")
    if job.role is Role.WRITER and job.request.method != "GET":
        return asked
    if asked not in (None, "1", "2"):
        raise QueryError(READONLY, "Cannot modify 'readonly' setting in readonly mode")
    return asked or "2"


def _settings(job: Job) -> dict[str, str]:
    """The request's settings, without `readonly`, after which no other could be set."""
    settings = {name: value for name, value in job.request.settings.items() if name != "readonly"}
    return settings | {"log_comment": job.tag}


def _identifier(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _create_external(connection: Connection, tables: Mapping[str, External]) -> None:
    for name, table in tables.items():
        connection.execute(f"CREATE TEMPORARY TABLE {_identifier(name)} ({table.structure}) ENGINE = Memory")
        inserter = connection.insert(f"INSERT INTO {_identifier(name)}", table.format)
        inserter.append(table.data)
        inserter.finish()


def _current(connection: Connection, settings: Iterable[str]) -> dict[str, str]:
    """What the settings are now, as the right side of SET."""
    names = ", ".join(literal(name) for name in settings)
    rows = connection.text(
        f"SELECT name, changed, hex(value) FROM system.settings WHERE name IN ({names})"  # noqa: S608
    )
    current = {}
    for row in rows.splitlines():
        name, changed, value = row.split("\t")
        current[name] = literal(bytes.fromhex(value).decode()) if changed == "1" else "DEFAULT"
    return current
