"""A tokenizer of ClickHouse SQL: enough to find keywords, calls and statement ends outside quotes and comments.

Offsets are those of the given text. To look into a text that is followed by binary data, decode the bytes as
Latin-1: every byte is then one character, and all that matters here is ASCII.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

_TOKEN = re.compile(
    r"""
    (?P<blank>\s+|--[^\n]*|\#[ !][^\n]*|//[^\n]*)
    |(?P<comment>/\*)
    |(?P<string>'(?:[^'\\]|\\.|'')*'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$|\xe2\x80\x98.*?\xe2\x80\x99|\u2018.*?\u2019)
    |(?P<quoted>`(?:[^`\\]|\\.|``)*`|"(?:[^"\\]|\\.|"")*"|\xe2\x80\x9c.*?\xe2\x80\x9d|\u201c.*?\u201d)
    |(?P<word>[A-Za-z_][A-Za-z0-9_$]*)
    |(?P<number>[0-9][A-Za-z0-9_.]*)
    |(?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)


class Kind(Enum):
    """What a token is; blanks and comments give no token."""

    WORD = auto()
    QUOTED = auto()
    """A quoted identifier."""
    STRING = auto()
    NUMBER = auto()
    OTHER = auto()


_KINDS = {kind.name.lower(): kind for kind in Kind}


@dataclass(frozen=True, slots=True)
class Token:
    kind: Kind
    text: str
    start: int
    end: int
    depth: int
    """How many brackets are open around it; a bracket itself counts as outside."""

    def is_word(self, *words: str) -> bool:
        """Whether it is one of the keywords, given in upper case."""
        return self.kind is Kind.WORD and self.text.upper() in words

    def is_sign(self, sign: str) -> bool:
        return self.kind is Kind.OTHER and self.text == sign

    @property
    def is_name(self) -> bool:
        return self.kind in (Kind.WORD, Kind.QUOTED)

    @property
    def name(self) -> str:
        """The identifier without its quotes."""
        if self.kind is not Kind.QUOTED:
            return self.text
        if self.text[0] in '`"':
            return _unescape(self.text[1:-1], self.text[0])
        return self.text.removeprefix("\xe2\x80\x9c").removesuffix("\xe2\x80\x9d").strip("\u201c\u201d")


def tokens(text: str) -> Iterator[Token]:
    """The tokens of `text`, lazily; a quote that is never closed gives an OTHER token and what follows it."""
    depth = 0
    position = 0
    while match := _TOKEN.match(text, position):
        position = match.end()
        group = match.lastgroup or "other"
        if group == "comment":
            position = _end_of_comment(text, position)
            continue
        if group == "blank":
            continue
        content = match.group()
        if group == "other" and content in ")]}":
            depth = max(0, depth - 1)
        yield Token(_KINDS["string" if group == "tag" else group], content, match.start(), match.end(), depth)
        if group == "other" and content in "([{":
            depth += 1


def _end_of_comment(text: str, position: int) -> int:
    """Where the comment opened before `position` ends; comments nest."""
    open_comments = 1
    for mark in re.finditer(r"/\*|\*/", text[position:]):
        open_comments += 1 if mark.group() == "/*" else -1
        if open_comments == 0:
            return position + mark.end()
    return len(text)


def split_statements(script: str) -> list[str]:
    """The statements of a script, separated by `;`, without empty ones."""
    statements = []
    start: int | None = None
    end = 0
    for token in tokens(script):
        if token.is_sign(";"):
            if start is not None:
                statements.append(script[start:end])
            start = None
            continue
        start = token.start if start is None else start
        end = token.end
    if start is not None:
        statements.append(script[start:end])
    return statements


def literal(value: str) -> str:
    """A ClickHouse string literal of `value`."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def unescape(string: str) -> str:
    """The value of a string literal as the tokenizer gives it, for the escapes that people write."""
    if string.startswith("$"):
        mark = string.index("$", 1) + 1
        return string[mark:-mark]
    if not string.startswith("'"):
        return string
    return _unescape(string[1:-1], "'")


def _unescape(content: str, quote: str) -> str:
    plain = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "b": "\b", "f": "\f", "a": "\a", "v": "\v"}

    def replace(match: re.Match[str]) -> str:
        if match[1]:
            return chr(int(match[1], 16))
        return plain.get(match[2], match[2]) if match[2] else quote

    return re.sub(rf"\\x([0-9A-Fa-f]{{2}})|\\(.)|{quote}{quote}", replace, content, flags=re.DOTALL)
