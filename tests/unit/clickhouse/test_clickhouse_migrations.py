"""Migration files and queries, without a server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from clickhouse import queries
from clickhouse.migrate import FOLDER
from clickhouse.server.statement import parse
from clickhouse.sql_text import split_statements
from clickpulse.errors import ConfigurationError
from clickpulse.migrations import read_migrations

_HARMLESS_TWICE = "INSERT INTO late_scans (scanned_to) VALUES (now64(3, 'UTC'))"


def test_the_committed_migrations_are_numbered_without_gaps() -> None:
    migrations = read_migrations(FOLDER)
    assert [migration.version for migration in migrations] == list(range(1, len(list(FOLDER.iterdir())) + 1))
    for migration in migrations:
        assert split_statements(migration.text)
        for statement in split_statements(migration.text):
            repeatable = "IF EXISTS" if statement.startswith("DROP") else "IF NOT EXISTS"
            assert repeatable in statement or statement == _HARMLESS_TWICE


def test_names_and_numbers_are_checked(tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_text("SELECT 1;")
    (tmp_path / "0003_b.sql").write_text("SELECT 1;")
    with pytest.raises(ConfigurationError, match="without a gap"):
        read_migrations(tmp_path)
    (tmp_path / "0003_b.sql").rename(tmp_path / "2_b.sql")
    with pytest.raises(ConfigurationError, match=r"2_b\.sql"):
        read_migrations(tmp_path)


def test_a_semicolon_in_a_string_does_not_split(tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_text("SELECT ';\n'; -- x;\nSELECT 2")
    assert split_statements(read_migrations(tmp_path)[0].text) == ["SELECT ';\n'", "SELECT 2"]


@pytest.mark.parametrize("path", sorted(queries.FOLDER.glob("*.sql")), ids=lambda path: path.stem)
def test_each_query_is_one_statement_with_values_as_parameters(path: Path) -> None:
    text = queries.load(path.stem)
    parse(text.encode())
    assert "%(" not in text
    assert not re.search(r"(?<!\{)\{[a-z_]+\}", text)


def test_the_sink_statement_reads_its_body() -> None:
    statement = parse(queries.load("insert_events").encode())
    assert statement.input is not None
    assert (statement.format, statement.kind) == ("AvroConfluent", "INSERT")
    assert statement.data_offset == len(queries.load("insert_events").encode())
