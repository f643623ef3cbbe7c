"""Which arguments `clickpulse test` hands to pytest."""

from __future__ import annotations

import subprocess
import sys

import pytest

from clickpulse.checking_commands import pytest_arguments


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["tests"]),
        (["all"], ["tests"]),
        (["unit"], ["tests/unit"]),
        (["e2e", "-x", "-k", "kill"], ["tests/e2e", "-x", "-k", "kill"]),
        (["faults", "--minutes", "10"], ["tests/faults", "--minutes", "10"]),
        (["--color=no"], ["tests", "--color=no"]),
        (["-k", "unit"], ["tests", "-k", "unit"]),
        (["tests/unit/spark", "-q"], ["tests/unit/spark", "-q"]),
    ],
)
def test_a_suite_becomes_its_folder_and_the_rest_goes_to_pytest(arguments: list[str], expected: list[str]) -> None:
    assert pytest_arguments(arguments) == expected


def test_options_for_pytest_reach_it_through_the_command_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "clickpulse", "test", "--version"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("pytest ")
