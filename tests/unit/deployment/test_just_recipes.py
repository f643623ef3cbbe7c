"""The justfile: every recipe has a line of help and calls what exists, and every recipe that is told of exists.

`just` itself comes from elsewhere; what is read here is its plain syntax.
"""

from __future__ import annotations

import re

import pytest

from clickpulse.cli import _register, app
from clickpulse.settings import PROJECT_ROOT

TEXT = (PROJECT_ROOT / "justfile").read_text()
HEAD = re.compile(r"^([a-z][a-z0-9-]*)((?: [*+]?\w+(?:=`[^`]+`)?)*):$", re.MULTILINE)
RECIPES = {found[1]: found.start() for found in HEAD.finditer(TEXT)}


def body(recipe: str) -> list[str]:
    after = TEXT[RECIPES[recipe] :].splitlines()[1:]
    end = next((number for number, line in enumerate(after) if line and not line.startswith("    ")), len(after))
    return [line.strip() for line in after[:end] if line.strip()]


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_has_a_line_of_help_and_a_group(recipe: str) -> None:
    *_, help_line, group, _ = ["", "", *TEXT[: RECIPES[recipe]].splitlines(), ""]
    assert help_line.startswith("# "), recipe
    assert re.fullmatch(r'\[group\("(local|secrets|docker|development)"\)\]', group), recipe


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_parameter_is_used_and_every_name_in_braces_known(recipe: str) -> None:
    head = HEAD.match(TEXT, RECIPES[recipe])
    assert head
    parameters = set(re.findall(r" [*+]?(\w+)(?:=`[^`]+`)?", head[2]))
    used = set(re.findall(r"{{ (\w+) }}", "\n".join(body(recipe))))
    variables = set(re.findall(r"^(\w+) := ", TEXT, re.MULTILINE))
    assert parameters <= used
    assert used <= parameters | variables


def test_recipes_call_commands_that_exist() -> None:
    _register()
    known = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    known |= {group.name for group in app.registered_groups}
    called = re.findall(r"(?:\./clickpulse|exec connect clickpulse) ([a-z]+)", TEXT)
    assert len(called) > 10
    assert set(called) <= known


def test_recipes_name_files_that_exist() -> None:
    lines = "\n".join(re.findall(r"^    .*|^\w+ := .*", TEXT, re.MULTILINE))
    files = set(re.findall(r"(?<![\w/.])(?:tests|env)/[\w/.-]+", lines.replace("{{ name }}", "db")))
    assert files
    for file in files:
        assert (PROJECT_ROOT / file).exists(), file


def test_every_recipe_that_is_told_of_exists() -> None:
    places = [*PROJECT_ROOT.glob("*.md"), *PROJECT_ROOT.glob("docs/**/*.md"), *PROJECT_ROOT.glob("tests/*.yml")]
    told = {name for place in places for name in re.findall(r"`just ([a-z][a-z-]*)", place.read_text())}
    told |= {name for place in places for name in re.findall(r"^just ([a-z][a-z-]*)", place.read_text(), re.MULTILINE)}
    assert "test-service" in told
    assert told <= RECIPES.keys()
