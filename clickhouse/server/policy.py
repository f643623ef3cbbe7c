"""What no client may run here, whatever its rights: SQL that reaches files, programs or other identities.

The engine's own grants refuse table functions, table engines and access control (see `engine.py`); this refuses
the few things that an engine inside a process allows and a ClickHouse server does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from clickhouse.server.errors import ACCESS_DENIED, INTO_OUTFILE_NOT_ALLOWED, QueryError
from clickhouse.sql_text import Kind, Token, tokens, unescape

DENIED_FUNCTIONS = frozenset(
    (
        "file filecluster filesystem url urlcluster executable eval python sqlite catboostevaluate "
        "deltalakelocal iceberglocal icebergcluster icebergLocalCluster hudilocal paimonlocal"
    )
    .lower()
    .split()
)
_IN_TEXT = re.compile(
    rf"\b({'|'.join(sorted(DENIED_FUNCTIONS))})[`\"”]?(\s|/\*.*?\*/|--[^\n]*\n)*\(", re.IGNORECASE | re.DOTALL
)


def check(text: str, parameters: Iterable[str] = ()) -> None:
    """Refuse SQL that goes outside the database.

    Raises:
        QueryError: code 497 for a denied function or identity, 358 for files of the client's side.
    """
    if (denied := _first_call(text)) is not None:
        raise QueryError(ACCESS_DENIED, f"The function {denied}() is not available on this server")
    for value in parameters:
        _check_string(value)


def check_values(data: bytes) -> None:
    """Refuse data in the format Values that call a denied function: the engine evaluates expressions in them."""
    lowered = data.lower()
    quoted_escape = b"\\" in data and (b"`" in data or b'"' in data)
    if quoted_escape or any(name.encode() in lowered for name in DENIED_FUNCTIONS):
        check_calls(data.decode("latin-1"))


def check_calls(text: str) -> None:
    """Refuse calls of denied functions; strings are data here."""
    if (denied := _first_call(text, strings_too=False)) is not None:
        raise QueryError(ACCESS_DENIED, f"The function {denied}() is not available on this server")


def _first_call(text: str, *, strings_too: bool = True) -> str | None:
    previous: Token | None = None
    first: Token | None = None
    for token in tokens(text):
        first = first or token
        if previous is not None:
            _check_pair(previous, token, first)
            if token.is_sign("(") and previous.is_name and previous.name.lower() in DENIED_FUNCTIONS:
                return previous.name
        if strings_too and token.kind is Kind.STRING:
            _check_string(unescape(token.text))
        previous = token
    return None


def _check_pair(previous: Token, token: Token, first: Token) -> None:
    if previous.is_word("INTO") and token.is_word("OUTFILE"):
        raise QueryError(INTO_OUTFILE_NOT_ALLOWED, "INTO OUTFILE is not allowed")
    if previous.is_word("FROM") and token.is_word("INFILE"):
        raise QueryError(ACCESS_DENIED, "FROM INFILE is not allowed")
    if first is not previous:
        return
    sets_role = first.is_word("SET") and token.is_word("ROLE", "DEFAULT")
    if sets_role or (first.is_word("EXECUTE") and token.is_word("AS")):
        raise QueryError(ACCESS_DENIED, f"{first.text} {token.text} is not allowed: this server has no roles to choose")


def _check_string(value: str) -> None:
    """A string may be a structure with DEFAULT expressions, which the engine runs."""
    if match := _IN_TEXT.search(value):
        raise QueryError(ACCESS_DENIED, f"The function {match[1]}() is not available on this server")
