"""Taking a request's SQL apart."""

from __future__ import annotations

import pytest

from clickhouse.server.errors import SYNTAX_ERROR, QueryError
from clickhouse.server.statement import parse, setting_names


@pytest.mark.parametrize(
    ("sql", "kind", "fmt"),
    [
        (b"select 1", "SELECT", None),
        (b"SELECT format FROM t FORMAT JSON SETTINGS max_threads = 1;", "SELECT", "JSON"),
        (b"SELECT * FROM (SELECT 1 FORMAT CSV)", "SELECT", None),
        (b"/* x */ (select 1) union all select 2 format TSV", "SELECT", "TSV"),
        (b"CREATE TABLE t (format String) ENGINE = Memory", "CREATE", None),
        (b"SELECT 'FORMAT JSON'", "SELECT", None),
        (b"WITH 13 AS insert SELECT insert", "WITH", None),
    ],
)
def test_kind_and_format(sql: bytes, kind: str, fmt: str | None) -> None:
    statement = parse(sql)
    assert (statement.kind, statement.format, statement.data_offset) == (kind, fmt, None)


@pytest.mark.parametrize(
    ("sql", "text", "fmt", "data"),
    [
        (b"INSERT INTO t VALUES (1);", "INSERT INTO t ", "Values", b" (1);"),
        (b"INSERT INTO db.values (a) VALUES", "INSERT INTO db.values (a) ", "Values", b""),
        (b"insert into t format Native\n\x00\xff'", "insert into t ", "Native", b"\x00\xff'"),
        (b"INSERT INTO t FORMAT CSV 1,2", "INSERT INTO t ", "CSV", b"1,2"),
        (b"INSERT INTO {t:Identifier} FORMAT CSV\n1", "INSERT INTO {t:Identifier} ", "CSV", b"1"),
        (b"INSERT INTO FUNCTION s3('VALUES') (a) FORMAT TSV\n1", "INSERT INTO FUNCTION s3('VALUES') (a) ", "TSV", b"1"),
        ("INSERT INTO `tä` FORMAT TSV\nö".encode(), "INSERT INTO `tä` ", "TSV", "ö".encode()),
    ],
)  # fmt: skip
def test_where_the_data_of_an_insert_begin(sql: bytes, text: str, fmt: str, data: bytes) -> None:
    statement = parse(sql)
    assert statement.data_offset is not None
    assert (statement.text, statement.format, sql[statement.data_offset :]) == (text, fmt, data)


def test_settings_of_an_insert_are_taken_out() -> None:
    statement = parse(b"INSERT INTO t (a) SETTINGS async_insert = 1, x = 'a, b = 2' FORMAT CSV\n1")
    assert statement.text.strip() == "INSERT INTO t (a)"
    assert statement.settings is not None
    assert setting_names(statement.settings) == ["async_insert", "x"]


def test_input_is_found_and_replaced_outside_quotes_only() -> None:
    sql = (
        b"INSERT INTO t (a) SETTINGS max_threads = 1 SELECT a, 'input(''x'')' -- input('y')\n"
        b"FROM INPUT /* ! */ ('a Int64, b DateTime64(3, \\'UTC\\')') WHERE a > 0 FORMAT AvroConfluent\n\x00"
    )
    statement = parse(sql)
    assert statement.input is not None
    assert statement.input.structure == "a Int64, b DateTime64(3, 'UTC')"
    rewritten = statement.input.replaced_by("other")
    assert rewritten.rstrip().endswith("FROM other WHERE a > 0")
    assert "'input(''x'')' -- input('y')" in rewritten
    assert (statement.format, statement.data_offset) == ("AvroConfluent", len(sql) - 1)


@pytest.mark.parametrize(
    "sql", [b"INSERT INTO t SELECT 1", b"WITH 1 AS x INSERT INTO t SELECT x", b"INSERT INTO t (SELECT 1)"]
)
def test_an_insert_select_has_no_data(sql: bytes) -> None:
    statement = parse(sql)
    assert (statement.kind, statement.data_offset) == ("INSERT", None)


@pytest.mark.parametrize(
    "sql", [b"SELECT 1; DROP TABLE t", b"INSERT INTO t SELECT 1; SELECT 2", b"", b"  -- nothing\n;"]
)
def test_one_statement_at_a_time(sql: bytes) -> None:
    with pytest.raises(QueryError) as caught:
        parse(sql)
    assert caught.value.code == SYNTAX_ERROR
