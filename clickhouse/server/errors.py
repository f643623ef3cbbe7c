"""ClickHouse's errors: codes, texts and the HTTP statuses that a ClickHouse server gives them."""

from __future__ import annotations

import re

ACCESS_DENIED = 497
AUTHENTICATION_FAILED = 516
BAD_ARGUMENTS = 36
CANNOT_DECOMPRESS = 271
CHECKSUM_DOESNT_MATCH = 40
INTO_OUTFILE_NOT_ALLOWED = 358
NOT_IMPLEMENTED = 48
NO_SUCH_DATA_PART = 232
QUERY_IS_TOO_LARGE = 229
QUERY_WAS_CANCELLED = 394
READONLY = 164
SESSION_IS_LOCKED = 373
SESSION_NOT_FOUND = 372
INVALID_SESSION_TIMEOUT = 374
SET_NON_GRANTED_ROLE = 512
STD_EXCEPTION = 1001
SYNTAX_ERROR = 62
TOO_MANY_SIMULTANEOUS_QUERIES = 202
UNKNOWN_TABLE = 60

NAMES = {
    ACCESS_DENIED: "ACCESS_DENIED",
    AUTHENTICATION_FAILED: "AUTHENTICATION_FAILED",
    BAD_ARGUMENTS: "BAD_ARGUMENTS",
    CANNOT_DECOMPRESS: "CANNOT_DECOMPRESS",
    CHECKSUM_DOESNT_MATCH: "CHECKSUM_DOESNT_MATCH",
    INTO_OUTFILE_NOT_ALLOWED: "INTO_OUTFILE_NOT_ALLOWED",
    NOT_IMPLEMENTED: "NOT_IMPLEMENTED",
    QUERY_IS_TOO_LARGE: "QUERY_IS_TOO_LARGE",
    QUERY_WAS_CANCELLED: "QUERY_WAS_CANCELLED",
    READONLY: "READONLY",
    SESSION_IS_LOCKED: "SESSION_IS_LOCKED",
    SESSION_NOT_FOUND: "SESSION_NOT_FOUND",
    INVALID_SESSION_TIMEOUT: "INVALID_SESSION_TIMEOUT",
    SET_NON_GRANTED_ROLE: "SET_NON_GRANTED_ROLE",
    SYNTAX_ERROR: "SYNTAX_ERROR",
    TOO_MANY_SIMULTANEOUS_QUERIES: "TOO_MANY_SIMULTANEOUS_QUERIES",
    UNKNOWN_TABLE: "UNKNOWN_TABLE",
}

_STATUS_OF_CODES = {
    400: (
        *(6, 8, 15, 25, 26, 27, 36, 37, 38, 41, 44, 53, SYNTAX_ERROR, 72, 117, 123, 167, 168, 223),
        *(321, 376, 427, 441, 675, 676),
    ),
    401: (194,),
    403: (192, 193, ACCESS_DENIED, SET_NON_GRANTED_ROLE, AUTHENTICATION_FAILED),
    404: (46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511),
    408: (159,),
    411: (381,),
    413: (QUERY_IS_TOO_LARGE,),
    415: (779,),
    501: (NOT_IMPLEMENTED,),
    503: (76, 209, 439),
}
_STATUS = {code: status for status, codes in _STATUS_OF_CODES.items() for code in codes}

_ENGINE_MESSAGE = re.compile(r"(?:Code: (?P<code>\d+)\. )?(?P<text>DB::Exception: .*|std::exception\. .*)", re.DOTALL)
_VERSION = re.compile(r" ?\(version [0-9.]+(?: \(official build\))?\)\s*$")


class QueryError(Exception):
    """A query that ClickHouse refuses or that fails.

    Args:
        code: ClickHouse's error code.
        text: what happened, without code, error name and version.
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text

    @classmethod
    def from_engine(cls, error: Exception) -> QueryError:
        """What the engine's message says, taken apart."""
        message = _VERSION.sub("", str(error).strip())
        match = _ENGINE_MESSAGE.search(message)
        if match is None:
            return cls(STD_EXCEPTION, message)
        text = match["text"].removeprefix("DB::Exception: ")
        if match["code"] is None:
            code = re.search(r"Code: (\d+)", text)
            return cls(int(code[1]) if code else STD_EXCEPTION, text)
        if int(match["code"]) == ACCESS_DENIED and "READ ON FILE" in text:
            # In the engine's database `default` an unknown table is looked for among the files. What else reads files
            # has been refused before (see policy.py).
            return cls(UNKNOWN_TABLE, "Table does not exist in the database default")
        return cls(int(match["code"]), text)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return _STATUS.get(self.code, 500)

    def message(self, version: str) -> str:
        """The text in the response, as clients take it apart."""
        name = NAMES.get(self.code)
        text = self.text if name is None or self.text.endswith(f"({name})") else f"{self.text}. ({name})"
        return f"Code: {self.code}. DB::Exception: {text} (version {version} (official build))\n"
