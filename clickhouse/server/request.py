"""A query as it comes over HTTP: what of the URL is SQL, parameter, setting or transport."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from clickhouse.server.compression import response_encoding
from clickhouse.server.errors import (
    BAD_ARGUMENTS,
    INVALID_SESSION_TIMEOUT,
    SET_NON_GRANTED_ROLE,
    QueryError,
)

MAX_SESSION_TIMEOUT_SECONDS = 3600
_TRANSPORT = frozenset(
    {
        "query", "database", "user", "password", "quota_key", "session_id", "session_timeout", "session_check",
        "close_session", "query_id", "compress", "decompress", "default_format", "wait_end_of_query", "buffer_size",
        "role", "client_protocol_version", "stacktrace",
    }
)  # fmt: skip
_SETTING = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_EXTERNAL = re.compile(r"(?P<table>.+)_(?P<what>structure|types|format)")


@dataclass
class External:
    """A temporary table that comes with the query."""

    structure: str = ""
    format: str = "TabSeparated"
    data: bytes = b""


@dataclass(frozen=True)
class SessionRequest:
    id: str
    timeout_seconds: int
    must_exist: bool
    close: bool


@dataclass(frozen=True)
class QueryRequest:
    """What a request asks for, apart from its body."""

    query_id: str
    method: str
    sql: bytes
    """SQL of the URL or form; a body follows it."""
    parameters: dict[str, str]
    """Values of `{name:Type}`, escaped as in TabSeparated, the way HTTP carries them."""
    settings: dict[str, str]
    database: str | None
    session: SessionRequest | None
    default_format: str
    wait_for_end: bool
    response_encoding: str | None
    compress: bool
    """Answer in ClickHouse's own compressed blocks."""
    decompress: bool
    """The body is in ClickHouse's own compressed blocks."""
    external: dict[str, External] = field(default_factory=dict)


def url_parameters(query_string: bytes) -> dict[str, str]:
    """The URL's parameters; the last of a name counts."""
    pairs = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True, encoding="utf-8", errors="replace")
    return dict(pairs)


def query_request(
    method: str,
    headers: Mapping[str, str],
    parameters: Mapping[str, str],
    files: Mapping[str, bytes] | None = None,
) -> QueryRequest:
    """Sort the parameters of the URL and of a form; `files` are the form's parts with data of external tables.

    Raises:
        QueryError: a parameter has a value or a name that ClickHouse refuses.
    """
    external = _external(parameters, files or {})
    if parameters.get("role"):
        raise QueryError(SET_NON_GRANTED_ROLE, f"Role {parameters['role']} should be granted to set as a current")
    described = {f"{table}_{what}" for table in external for what in ("structure", "types", "format")}
    settings = {}
    for name, value in parameters.items():
        if name in _TRANSPORT or name in described or name.startswith("param_"):
            continue
        if not _SETTING.fullmatch(name):
            raise QueryError(BAD_ARGUMENTS, f"{name!r} is not the name of a setting")
        settings[name] = value
    accepts = None if parameters.get("enable_http_compression") == "0" else headers.get("accept-encoding")
    return QueryRequest(
        query_id=parameters.get("query_id") or headers.get("x-clickhouse-query-id") or str(uuid.uuid4()),
        method=method,
        sql=parameters.get("query", "").encode(),
        parameters={name[6:]: value for name, value in parameters.items() if name.startswith("param_")},
        settings=settings,
        database=parameters.get("database") or headers.get("x-clickhouse-database") or None,
        session=_session(parameters),
        default_format=parameters.get("default_format") or headers.get("x-clickhouse-format") or "TabSeparated",
        wait_for_end=_flag(parameters, "wait_end_of_query"),
        response_encoding=response_encoding(accepts),
        compress=_flag(parameters, "compress"),
        decompress=_flag(parameters, "decompress"),
        external=external,
    )


def _flag(parameters: Mapping[str, str], name: str) -> bool:
    return parameters.get(name, "0").lower() in ("1", "true")


def _session(parameters: Mapping[str, str]) -> SessionRequest | None:
    if not parameters.get("session_id"):
        return None
    timeout = parameters.get("session_timeout", "60")
    if not timeout.isdecimal():
        raise QueryError(INVALID_SESSION_TIMEOUT, f"Invalid session timeout: '{timeout}'")
    if int(timeout) > MAX_SESSION_TIMEOUT_SECONDS:
        raise QueryError(
            INVALID_SESSION_TIMEOUT,
            f"Session timeout '{timeout}' is larger than max_session_timeout: {MAX_SESSION_TIMEOUT_SECONDS}. "
            "Maximum session timeout could be modified in configuration file.",
        )
    return SessionRequest(
        id=parameters["session_id"],
        timeout_seconds=int(timeout),
        must_exist=_flag(parameters, "session_check"),
        close=_flag(parameters, "close_session"),
    )


def _external(parameters: Mapping[str, str], files: Mapping[str, bytes]) -> dict[str, External]:
    tables = {name: External(data=data) for name, data in files.items()}
    for name, value in parameters.items():
        match = _EXTERNAL.fullmatch(name)
        if match is None or match["table"] not in tables:
            continue
        table = tables[match["table"]]
        if match["what"] == "format":
            table.format = value
        elif match["what"] == "structure":
            table.structure = value
        else:
            types = [f"`_{number}` {kind.strip()}" for number, kind in enumerate(value.split(","), 1)]
            table.structure = ", ".join(types)
    for name, table in tables.items():
        if not table.structure:
            raise QueryError(BAD_ARGUMENTS, f"Neither structure nor types have been provided for external table {name}")
    return tables
