"""Airflow for the tests of the DAG files: a home of its own, no configuration of the machine, no database."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

import pytest

# Airflow reads its configuration when it is first imported. These variables are nobody else's: a scheduler that a later
# test starts would take itself for a unit test and never rest.
with pytest.MonkeyPatch.context() as variables:
    variables.setenv("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-home-"))
    variables.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
    variables.setenv("AIRFLOW__CORE__UNIT_TEST_MODE", "True")
    import airflow  # noqa: F401

START = "2026-11-22T10:05:00Z"


@pytest.fixture(autouse=True, scope="session")
def report_start() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPORT_START", START)
        yield
