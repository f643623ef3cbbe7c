"""The engine in the process: how it is configured and opened, and connections with the rights of a role.

All methods block; call them from worker threads. A connection runs one query at a time.
"""

from __future__ import annotations

import fcntl
import shutil
import threading
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from xml.sax.saxutils import escape

from clickhouse.server.auth import Role
from clickhouse.server.errors import QueryError
from clickhouse.sql_text import literal
from clickpulse.errors import ConfigurationError
from clickpulse.settings import ClickHouseServerSettings
from clickpulse.tls import client_context

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Result:
    """A finished query."""

    data: bytes
    rows: int
    read_rows: int
    read_bytes: int
    written_rows: int
    written_bytes: int

    @classmethod
    def empty(cls) -> Result:
        return cls(b"", 0, 0, 0, 0, 0)


class Inserter:
    """An INSERT that takes its data in pieces; nothing of it counts before `finish`."""

    def __init__(self, connection: Any, handle: Any) -> None:
        self._connection = connection
        self._handle = handle

    def append(self, data: bytes) -> None:
        try:
            self._connection.insert_append(self._handle, data)
        except RuntimeError as error:
            raise QueryError.from_engine(error) from error

    def finish(self) -> Result:
        """Store what was appended."""
        try:
            return _result(self._connection.insert_done(self._handle))
        except RuntimeError as error:
            raise QueryError.from_engine(error) from error

    def cancel(self) -> None:
        """Give up; after an error there is nothing left to give up."""
        try:
            self._connection.insert_cancel(self._handle)
        except RuntimeError as error:
            raise QueryError.from_engine(error) from error


class Connection:
    """One session of the engine: its settings, current database and temporary tables."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def execute(self, sql: str, fmt: str = "TabSeparated", parameters: Mapping[str, str] | None = None) -> Result:
        """Run a statement to its end."""
        try:
            return _result(self._connection.query(_bytes(sql), fmt, params=dict(parameters or {})))
        except RuntimeError as error:
            raise QueryError.from_engine(error) from error

    def text(self, sql: str) -> str:
        """The result of a statement as text in TabSeparated, without the last line end."""
        return self.execute(sql).data.decode().rstrip("\n")

    def stream(self, sql: str, fmt: str, parameters: Mapping[str, str]) -> Generator[bytes]:
        """The blocks of a query's result, as the engine makes them; closing the iterator stops the query."""
        try:
            handle = self._connection.send_query(_bytes(sql), fmt, params=dict(parameters))
        except RuntimeError as error:
            raise QueryError.from_engine(error) from error
        done = False
        try:
            while not done:
                block = self._connection.streaming_fetch_result(handle)
                done = block is None or block.rows_read() == 0
                if block is not None and block.size():
                    yield block.bytes()
        except RuntimeError as error:
            done = True
            raise QueryError.from_engine(error) from error
        finally:
            if not done:
                self._connection.streaming_cancel_query(handle)

    def insert(self, sql: str, fmt: str) -> Inserter:
        """Begin an INSERT whose data come in pieces; `sql` has no FORMAT clause."""
        try:
            return Inserter(self._connection, self._connection.send_insert(_bytes(sql), fmt))
        except RuntimeError as error:
            raise QueryError.from_engine(error) from error

    def set(self, settings: Mapping[str, str]) -> None:
        if settings:
            self.execute("SET " + ", ".join(f"{name} = {literal(value)}" for name, value in settings.items()))

    def close(self) -> None:
        self._connection.close()


class Engine:
    """The engine on its data folder, which belongs to this process alone."""

    def __init__(self, chdb: Any, address: str, lock: IO[str]) -> None:
        self._chdb = chdb
        self._address = address
        self._lock = lock
        self._control_lock = threading.Lock()
        self._control = self.connect(Role.WRITER)
        self.version = self._control.text("SELECT version()")
        self.timezone = self._control.text("SELECT timezone()")

    @classmethod
    def open(cls, settings: ClickHouseServerSettings) -> Engine:
        """Open the data folder, made where it is missing.

        Raises:
            ConfigurationError: the engine is not installed, the folder is in use or not usable, or there are no
                certificates in `ca_file`.
        """
        data = settings.data_dir.absolute()
        if "?" in str(data) or "&" in str(data):
            raise ConfigurationError(f"CLICKHOUSE_SERVER_DATA_DIR {data} holds ? or &: choose another folder")
        lock = _lock(data)
        try:
            config = _write_config(settings, _empty_folder((settings.tmp_dir or data).absolute() / "run"))
            return cls(_import_chdb(), f"{data / 'engine'}?config-file={config}", lock)
        except (OSError, RuntimeError) as error:
            lock.close()
            raise ConfigurationError(f"ClickHouse cannot open its data folder {data}: {error}") from error

    def connect(self, role: Role) -> Connection:
        """A fresh session with the rights of `role`."""
        connection = Connection(self._chdb.connect(self._address))
        connection.execute(f"SET ROLE {role.value}")
        connection.execute("SET implicit_select = 0")
        return connection

    def kill(self, tag: str) -> None:
        """Cancel the running query whose `log_comment` is `tag`."""
        with self._control_lock:
            self._control.execute(
                "KILL QUERY WHERE Settings['log_comment'] = {tag:String} ASYNC", parameters={"tag": tag}
            )

    def close(self) -> None:
        """Close the engine; all other connections must be closed."""
        self._control.close()
        self._lock.close()


def _import_chdb() -> Any:
    try:
        from chdb import _chdb
    except (ImportError, OSError) as error:
        raise ConfigurationError(
            f"the ClickHouse engine cannot be loaded ({error}): install the extra clickhouse-server"
        ) from error
    return _chdb


def _lock(data: Path) -> IO[str]:
    """Take the folder for this process; the lock goes with the process, however it ends."""
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (data / "server.lock").open("a")
    except OSError as error:
        raise ConfigurationError(f"CLICKHOUSE_SERVER_DATA_DIR {data} is not usable: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise ConfigurationError(
            f"another ClickHouse server runs on {data}: stop it, or set CLICKHOUSE_SERVER_DATA_DIR to another folder"
        ) from error
    return lock


def _empty_folder(folder: Path) -> Path:
    """A private folder without what a killed server left in it."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True, mode=0o700)
    return folder


def _write_config(settings: ClickHouseServerSettings, run: Path) -> Path:
    """The engine's configuration files; gives the main one."""
    users, config = run / "users.xml", run / "config.xml"
    users.write_text((_FOLDER / "users.xml").read_text())
    values = {
        "users": users,
        "tmp": run / "engine",
        "memory": settings.max_memory_mb * 1_000_000,
        "fsync": int(settings.fsync),
        "keep_free": settings.needed_bytes,
    }
    (run / "engine").mkdir()
    template = (_FOLDER / "config.xml").read_text()
    escaped = {name: escape(str(value)) for name, value in values.items()}
    config.write_text(template.format(trust=_trust(settings.ca_file), **escaped))
    return config


def _trust(ca_file: Path | None) -> str:
    """The part of the configuration that says whom the engine trusts; the system's authorities without a file."""
    if ca_file is None:
        return ""
    client_context(ca_file)  # the engine itself would trust nobody and not say why
    return (_FOLDER / "trust.xml").read_text().strip().format(ca_file=escape(str(ca_file.absolute())))


def _bytes(sql: str) -> bytes:
    """SQL may carry binary data in a heredoc."""
    return sql.encode("utf-8", "surrogateescape")


def _result(result: Any) -> Result:
    return Result(
        data=result.bytes() if result.size() else b"",
        rows=result.rows_read(),
        read_rows=result.storage_rows_read(),
        read_bytes=result.storage_bytes_read(),
        written_rows=result.rows_written(),
        written_bytes=result.bytes_written(),
    )
