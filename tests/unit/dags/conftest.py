"""Airflow for the tests of the DAG files: a home of its own, no configuration of the machine, no database."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator

import pytest

# Airflow reads its configuration when it is first imported
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-home-")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "True"

START = "2026-11-22T10:05:00Z"


@pytest.fixture(autouse=True, scope="session")
def report_start() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPORT_START", START)
        yield
