"""SQL that would leave the database is refused, however it is spelt."""

from __future__ import annotations

import pytest

from clickhouse.server import policy
from clickhouse.server.errors import ACCESS_DENIED, INTO_OUTFILE_NOT_ALLOWED, QueryError


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT file('/etc/passwd')",
        "SELECT FILE /* x */ ('/etc/passwd')",
        "SELECT `file`('/etc/passwd')",
        r"""SELECT "f\x69le"('/etc/passwd')""",
        "SELECT \u201cfile\u201d('/etc/passwd')",
        "/* /* */ ' */ SELECT file('/etc/passwd') -- '",
        "SELECT 1 // '\n, file('/etc/passwd')",
        "SELECT * FROM url('file:///etc/passwd', 'LineAsString')",
        "SELECT * FROM python(secrets)",
        "SELECT * FROM eval(concat('SELECT fi', 'le(1)'))",
        r"SELECT * FROM format(JSONEachRow, 'a String, b String DEFAULT file(\'/etc/passwd\')', '{}')",
        "INSERT INTO t FROM INFILE '/etc/passwd'",
        "SET ROLE writer",
        "EXECUTE AS writer SELECT 1",
    ],
)
def test_denied(sql: str) -> None:
    with pytest.raises(QueryError) as caught:
        policy.check(sql)
    assert caught.value.code == ACCESS_DENIED


def test_denied_in_latin_1_bytes_too() -> None:
    sql = "SELECT \u201cfile\u201d('x')".encode().decode("latin-1")
    with pytest.raises(QueryError):
        policy.check(sql)


def test_into_outfile() -> None:
    with pytest.raises(QueryError) as caught:
        policy.check("SELECT 1 INTO OUTFILE '/tmp/x'")
    assert caught.value.code == INTO_OUTFILE_NOT_ALLOWED


def test_denied_in_a_parameter() -> None:
    with pytest.raises(QueryError):
        policy.check("SELECT {a:String}", ["x String DEFAULT file('/etc/passwd')"])


@pytest.mark.parametrize("data", [b"(1, file('/etc/passwd'))", rb"""(1, `f\x69le`('x'))"""])
def test_denied_in_values(data: bytes) -> None:
    with pytest.raises(QueryError):
        policy.check_values(data)


@pytest.mark.parametrize("sql", ["SELECT profile(1), file FROM t", "SET file = 1", "SELECT url FROM t WHERE (1)"])
def test_other_uses_of_the_words_are_fine(sql: str) -> None:
    policy.check(sql)


def test_text_in_values_is_data() -> None:
    policy.check_values(b"(1, 'see the file (page 2)')")
