"""What a request's SQL text is: its kind, its FORMAT, and where the data of an INSERT begin."""

from __future__ import annotations

from dataclasses import dataclass

from clickhouse.server.errors import SYNTAX_ERROR, QueryError
from clickhouse.sql_text import Kind, Token, tokens, unescape

_READS = frozenset({"SELECT", "WITH", "FROM", "SHOW", "DESCRIBE", "DESC", "EXISTS", "EXPLAIN", "CHECK"})
_REPORTS = frozenset({"KILL", "BACKUP", "RESTORE"})


@dataclass(frozen=True)
class Input:
    """The call `input('structure')` in an INSERT … SELECT: the statement around it, and the structure."""

    before: str
    after: str
    structure: str

    def replaced_by(self, table: str) -> str:
        """The statement, reading a table instead."""
        return f"{self.before}{table}{self.after}"


@dataclass(frozen=True)
class Statement:
    """One statement, taken apart."""

    kind: str
    """First keyword, in upper case; `SELECT` for one in brackets, `INSERT` also after WITH."""
    text: str
    """The SQL; for an INSERT with data without its SETTINGS, FORMAT and data."""
    format: str | None = None
    """The FORMAT clause's format."""
    data_offset: int | None = None
    """Where the data of an INSERT begin, in bytes of the request's text; None for statements without data."""
    settings: str | None = None
    """The SETTINGS of an INSERT with data, as written."""
    input: Input | None = None

    @property
    def has_result(self) -> bool:
        return self.kind in _READS or self.kind in _REPORTS

    @property
    def is_select(self) -> bool:
        """Whether the engine can give the result piece by piece."""
        return self.kind in ("SELECT", "WITH", "FROM")

    @property
    def only_reads(self) -> bool:
        """Whether nobody misses it when its client has gone."""
        return self.kind in _READS


class _Cursor:
    """Tokens one by one, with a look ahead; the text may go on in binary data, so it never reads further."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._tokens = tokens(text)
        self._next = next(self._tokens, None)

    @property
    def peek(self) -> Token | None:
        return self._next

    def take(self) -> Token | None:
        token, self._next = self._next, None
        if token is not None:
            self._next = next(self._tokens, None)
        return token

    def take_word(self, *words: str) -> bool:
        if self._next is not None and self._next.is_word(*words):
            self.take()
            return True
        return False

    def expect_end(self) -> None:
        while (token := self.take()) is not None:
            if not token.is_sign(";"):
                raise QueryError(SYNTAX_ERROR, "Syntax error (Multi-statements are not allowed)")


def parse(raw: bytes) -> Statement:
    """Take a request's text apart; `raw` may be the head of a body whose data go on.

    Raises:
        QueryError: it holds several statements, or none.
    """
    text = raw.decode("latin-1")
    cursor = _Cursor(text)
    while cursor.peek is not None and cursor.peek.is_sign(";"):
        cursor.take()
    if cursor.peek is None:
        raise QueryError(SYNTAX_ERROR, "Syntax error: failed at position 1 (end of query): Empty query")
    kind = "SELECT" if cursor.peek.is_sign("(") else cursor.peek.text.upper()
    if kind == "WITH" and _leads_to_insert(text):
        while (token := cursor.take()) is not None and not token.is_word("INTO"):
            pass
        kind = "INSERT"
    if kind == "INSERT":
        cursor.take_word("INSERT")
        return _insert(cursor)
    return _other(kind, cursor)


def _utf8(text: str) -> str:
    return text.encode("latin-1").decode("utf-8", "surrogateescape")


def _leads_to_insert(text: str) -> bool:
    """Whether `WITH …` stands before an INSERT; `insert` may also be a name there."""
    previous: Token | None = None
    for token in tokens(text):
        if token.depth == 0 and previous is not None and previous.is_word("INSERT") and token.is_word("INTO"):
            return True
        if token.depth == 0 and token.is_word("SELECT"):
            return False
        previous = token
    return False


def _other(kind: str, cursor: _Cursor) -> Statement:
    """Any statement but INSERT; a FORMAT clause is its last one, save for SETTINGS."""
    found: str | None = None
    end = len(cursor.text)
    in_settings = False
    while (token := cursor.take()) is not None:
        if token.is_sign(";"):
            end = token.start
            cursor.expect_end()
        elif token.depth == 0 and token.is_word("FORMAT") and cursor.peek is not None and cursor.peek.is_name:
            found = cursor.peek.name
            cursor.take()
        elif token.depth == 0 and token.is_word("SETTINGS"):
            in_settings = True
        elif not in_settings:
            found = None  # the word was a name, not the clause
    return Statement(kind, _utf8(cursor.text[:end]), format=found)


def _insert(cursor: _Cursor) -> Statement:
    """`INSERT INTO [TABLE] [FUNCTION] name [(columns)] [SETTINGS …] {VALUES | FORMAT f | SELECT …}`."""
    _skip_target(cursor)
    settings: Token | None = None
    while (token := cursor.take()) is not None:
        if token.depth:
            continue
        if token.is_sign(";"):
            cursor.expect_end()
            return Statement("INSERT", _utf8(cursor.text[: token.start]))
        if token.is_word("SETTINGS"):
            settings = token
        elif token.is_word("VALUES"):
            return _with_data(cursor.text, token, settings, "Values", token.end)
        elif token.is_word("FORMAT") and cursor.peek is not None and cursor.peek.is_name:
            return _with_data(cursor.text, token, settings, cursor.peek.name, cursor.peek.end)
        elif token.is_word("SELECT", "WITH", "FROM"):
            return _insert_select(cursor, token, settings)
    return Statement("INSERT", _utf8(cursor.text))


def _skip_target(cursor: _Cursor) -> None:
    """Pass the table's name, which may look like a keyword: `db.values`, `{table:Identifier}`, `s3(…)`."""
    cursor.take_word("INTO")
    cursor.take_word("TABLE")
    cursor.take_word("FUNCTION")
    cursor.take()
    while cursor.peek is not None and (cursor.peek.depth > 0 or cursor.peek.is_sign(".") or cursor.peek.is_sign("}")):
        if cursor.peek.is_sign("."):
            cursor.take()
        cursor.take()


def _with_data(text: str, clause: Token, settings: Token | None, data_format: str, data_start: int) -> Statement:
    """An INSERT whose data follow `clause`, that is VALUES or FORMAT."""
    return Statement(
        "INSERT",
        _utf8(text[: (settings or clause).start]),
        format=data_format,
        data_offset=data_start if clause.is_word("VALUES") else _after_blanks(text, data_start),
        settings=_utf8(text[settings.end : clause.start]) if settings is not None else None,
    )


def _after_blanks(text: str, position: int) -> int:
    """Blanks and one line end may stand between a FORMAT clause and the data."""
    start = position
    while text[start : start + 1] in (" ", "\t", "\r"):
        start += 1
    return start + 1 if text[start : start + 1] == "\n" else start


def _insert_select(cursor: _Cursor, select: Token, settings: Token | None) -> Statement:
    text = cursor.text
    call: Input | None = None
    last: list[Token] = []
    while (token := cursor.take()) is not None:
        last = [*last[-3:], token]
        if call is None and _is_input(last):
            call = Input(text[: last[0].start], text[token.end :], _utf8(unescape(last[2].text)))
        if token.depth:
            continue
        if token.is_sign(";"):
            cursor.expect_end()
            return Statement("INSERT", _utf8(text[: token.start]))
        if call is not None and token.is_word("FORMAT") and cursor.peek is not None and cursor.peek.is_name:
            own = _utf8(text[settings.end : select.start]) if settings is not None else None
            after = text[len(text) - len(call.after) : token.start]
            return Statement(
                "INSERT",
                _utf8(text[: token.start]),
                format=cursor.peek.name,
                data_offset=_after_blanks(text, cursor.peek.end),
                settings=own,
                input=Input(_utf8(call.before), _utf8(after), call.structure),
            )
    return Statement("INSERT", _utf8(text))


def _is_input(last: list[Token]) -> bool:
    match last:
        case [name, opening, structure, closing]:
            brackets = opening.is_sign("(") and closing.is_sign(")")
            return brackets and name.is_word("INPUT") and structure.kind is Kind.STRING
        case _:
            return False


def setting_names(clause: str) -> list[str]:
    """The names in `a = 1, b = 'x'`."""
    names = []
    previous: Token | None = None
    for token in tokens(clause):
        if token.is_sign("=") and previous is not None and previous.is_name and token.depth == 0:
            names.append(previous.name)
        previous = token
    return names
