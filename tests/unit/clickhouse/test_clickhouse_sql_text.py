"""The tokenizer: what is in quotes and comments is never taken for SQL."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickhouse.sql_text import Kind, literal, split_statements, tokens, unescape


def words(text: str) -> list[str]:
    return [token.text for token in tokens(text) if token.kind is Kind.WORD]


@pytest.mark.parametrize(
    "hidden",
    [
        "'file('",
        "'it''s file('",
        r"'a\' file('",
        "`file(`",
        '"file("',
        "/* file( */",
        "/* a /* file( */ b */",
        "-- file(\n",
        "# file(\n",
        "// ' file(\n",
        "$$ file( $$",
        "$a$ $$ file( $a$",
        "\u2018 ' file(\u2019",
    ],
)
def test_quotes_and_comments_hide_words(hidden: str) -> None:
    assert words(f"SELECT {hidden} AS x") == ["SELECT", "AS", "x"]


def test_a_quote_inside_a_nested_comment_opens_no_string() -> None:
    assert words("/* /* */ ' */ file('x')") == ["file"]


def test_depth_counts_open_brackets() -> None:
    depths = {token.text: token.depth for token in tokens("a (b [c] {d}) e")}
    assert depths["a"] == depths["e"] == 0
    assert depths["b"] == 1
    assert depths["c"] == depths["d"] == 2


@given(st.text(max_size=200))
def test_any_text_ends_and_tokens_do_not_overlap(text: str) -> None:
    position = 0
    for token in tokens(text):
        assert token.start >= position
        assert text[token.start : token.end] == token.text
        position = token.end


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=50))
def test_a_literal_is_one_string_token_with_the_value(value: str) -> None:
    quoted = literal(value)
    (token,) = tokens(quoted)
    assert token.kind is Kind.STRING
    assert unescape(token.text) == value


def test_escapes_and_heredocs() -> None:
    assert unescape(r"'a\tb\x41\'c''d'") == "a\tbA'c'd"
    assert unescape("$x$it's$x$") == "it's"
    (name,) = tokens(r'"f\x69le"')
    assert name.name == "file"


def test_statements_are_split_outside_quotes() -> None:
    script = "-- first; comment\nSELECT ';' ;\n\n SELECT `a;b` /* ; */;\n;-- end\n"
    assert split_statements(script) == ["SELECT ';'", "SELECT `a;b`"]
