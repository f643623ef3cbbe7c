"""What strangers wrote is shown without what a terminal would act on; JSON holds everything."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from rich.console import Console

from clickpulse.dlq.catalog import Catalog, Selection
from clickpulse.dlq.commands import _place, _since
from clickpulse.dlq.letters import Letter, parse_letter
from clickpulse.dlq.payload import decode
from clickpulse.dlq.text import groups_text, letter_json, letter_text
from clickpulse.errors import ConfigurationError

EVIL = "\x1b[2J[red]gone[/red]\r\n\u202e"


@pytest.fixture
def letter(stored: Any, headers_of: Any) -> Letter:
    headers = (*headers_of(7, error_class=EVIL, reason=EVIL), (EVIL, EVIL.encode()))
    return parse_letter(stored((0, 3), EVIL.encode() * 50, EVIL.encode(), headers))


def rendered(renderable: Any, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(renderable)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_no_control_characters_reach_the_terminal(letter: Letter) -> None:
    shown = rendered(letter_text(letter, decode(letter.value, lambda _: None), None))
    shown += rendered(groups_text(Catalog([letter]).groups(Selection(), {}), "title"))
    assert not [character for character in shown if not character.isprintable() and character != "\n"]
    assert "[red]gone[/red]" in shown


def test_lines_fit_a_narrow_terminal(letter: Letter) -> None:
    for line in rendered(groups_text(Catalog([letter] * 1000).groups(Selection(), {}), "title")).splitlines():
        assert len(line) <= 80


def test_json_holds_bytes_that_are_no_text(letter: Letter) -> None:
    document = json.loads(json.dumps(letter_json(letter, decode(letter.value, lambda _: None), None)))
    assert document["reason"] == EVIL
    assert document["key"] == EVIL.encode().hex()
    assert bytes.fromhex(document["payload"]["hex"]) == EVIL.encode() * 50
    assert document["payload"]["bytes"] == len(EVIL.encode() * 50)


@pytest.mark.parametrize("text", ["yesterday", "10", "m", "2026-11-22T10:05", "-5m"])
def test_a_time_that_is_none_is_told(text: str) -> None:
    with pytest.raises(ConfigurationError, match="--since"):
        _since(text)


def test_times_and_places() -> None:
    day, minutes = _since("1d"), _since("1440m")
    assert day is not None
    assert minutes is not None
    assert abs((day - minutes).total_seconds()) < 5
    assert str(_since("2026-11-22T10:05+01:00")) == "2026-11-22 09:05:00+00:00"
    assert _place("12/345") == (12, 345)
    for text in ("12", "a/1", "1/", "/1", "1/-1"):
        with pytest.raises(ConfigurationError, match="PARTITION/OFFSET"):
            _place(text)
