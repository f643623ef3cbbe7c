"""supervisord's configuration, read back by its own parser's rules."""

from __future__ import annotations

import configparser
import shlex
from pathlib import Path

import pytest

from local.services.base import Service
from local.supervision import configuration, socket_path


def service(name: str, command: list[str], environment: dict[str, str]) -> Service:
    return Service(name=name, title=name, command=command, probe=lambda: None, environment=environment)


def test_commands_and_secrets_with_odd_characters_arrive_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKPULSE_HOME", "/tmp/home")
    command = ["/bin/echo", "100%", "two words", 'a "quote"']
    text = configuration([service("odd", command, {"SECRET": 'p%s"w\\d,x=1'})])

    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    program = parser["program:odd"]
    assert shlex.split(program["command"].replace("%%", "%")) == command
    lexer = shlex.shlex(program["environment"].replace("%%", "%"), posix=True)
    lexer.wordchars += "/.+-():"
    assert list(lexer) == ["SECRET", "=", 'p%s"w\\d,x=1']


def test_nothing_starts_by_itself_and_everything_is_restarted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKPULSE_HOME", "/tmp/home")
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(configuration([service("one", ["true"], {}), service("two", ["true"], {})]))
    for name in ("program:one", "program:two"):
        assert parser[name]["autostart"] == "false"
        assert parser[name]["autorestart"] == "true"
    assert int(parser["program:one"]["priority"]) < int(parser["program:two"]["priority"])


def test_a_long_home_gets_a_short_socket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLICKPULSE_HOME", str(tmp_path / ("long" * 40)))
    assert len(str(socket_path())) < 108, "the system's limit for a socket's path"
