"""tests/docker-compose.test.NAME.yml: one service with what it needs, its tests inside, and their exit status."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from clickpulse.service_tests import read_table
from tests.docker.conftest import START_SECONDS, asked_for
from tests.docker.deployment import Deployment, Done

TESTS_SECONDS = 1800
NO_TESTS_STATUS = 5
"""Pytest's, where nothing was selected."""


@contextmanager
def stack(server: Deployment, name: str, stand_ins: list[str]) -> Iterator[tuple[str, ...]]:
    """Arguments for Compose; the stack and its volumes are removed afterwards."""
    files = [f"--file={file}" for file in (f"tests/docker-compose.test.{name}.yml", *stand_ins)]
    chosen = (f"--project-name=clickpulse-docker-test-{name}", *files)
    try:
        yield chosen
    finally:
        server.try_compose(*chosen, "down", "--volumes", "--remove-orphans", "--timeout=20", seconds=300)


def run_tests(server: Deployment, chosen: tuple[str, ...], *arguments: str) -> Done:
    build = [] if asked_for("CLICKPULSE_TEST_PREBUILT") else ["--build"]
    words = [*chosen, "run", *build, "--rm", "--no-TTY", "tests", *arguments]
    return server.try_compose(*words, seconds=START_SECONDS + TESTS_SECONDS)


@pytest.mark.parametrize("name", sorted(read_table()))
def test_a_services_tests_pass_in_its_stack(server: Deployment, name: str, stand_ins: list[str]) -> None:
    with stack(server, name, stand_ins) as chosen:
        done = run_tests(server, chosen, "-q", "--color=no")
    assert done.status == 0, done.said[-6000:]
    passed = re.findall(r"^(\d+) passed.* in ", done.said, re.MULTILINE)
    assert passed, done.said[-6000:]


def test_the_exit_status_is_the_tests(server: Deployment, stand_ins: list[str]) -> None:
    with stack(server, "producer", stand_ins) as chosen:
        assert run_tests(server, chosen, "-q", "-k", "no_test_has_this_name").status == NO_TESTS_STATUS
