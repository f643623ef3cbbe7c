"""The table of each service's tests: what it names exists, and the command hands it on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from clickpulse.errors import ConfigurationError
from clickpulse.service_tests import ServiceTests, read_table, selection_of
from clickpulse.settings import PROJECT_ROOT
from local.services import all_services
from local.services.base import Stack
from local.settings import LocalSettings

SERVICES = ("airflow", "connect", "dashboard", "db", "producer", "spark")


def test_every_service_has_its_entry() -> None:
    assert tuple(sorted(read_table())) == SERVICES


@pytest.mark.parametrize("name", SERVICES)
def test_what_the_table_names_exists(name: str) -> None:
    entry = selection_of(name)
    for item in (*entry.tests, *entry.leaves_out):
        path, *test = item.split("::")
        assert (PROJECT_ROOT / path).exists(), item
        assert not test or f"def {test[0]}(" in (PROJECT_ROOT / path).read_text(), item
        assert item not in entry.leaves_out or any(path.startswith(chosen) for chosen in entry.tests), item


def test_the_services_to_start_are_local_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from clickpulse.credentials import generate_credentials

    monkeypatch.setenv("CLICKPULSE_HOME", str(tmp_path))
    monkeypatch.setenv("CLICKPULSE_CREDS_DIR", str(tmp_path))
    generate_credentials()
    known = {service.name for service in all_services(Stack(LocalSettings.load(), {}, "postgresql://none"))}
    for name, entry in read_table().items():
        assert set(entry.starts) <= known, name


def test_files_are_not_imported_and_single_tests_not_run() -> None:
    entry = ServiceTests(tests=("tests/a",), starts=(), leaves_out=("tests/a/test_b.py", "tests/a/test_c.py::test_d"))
    expected = ["tests/a", "--ignore=tests/a/test_b.py", "--deselect=tests/a/test_c.py::test_d"]
    assert entry.pytest_arguments == expected


def test_an_unknown_service_is_told() -> None:
    with pytest.raises(ConfigurationError, match="service 'dbs': there are airflow, connect"):
        selection_of("dbs")


def test_the_command_runs_the_selection() -> None:
    command = [sys.executable, "-m", "clickpulse", "test", "--service", "producer", "--collect-only", "-q"]
    done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    files = {line.split("::")[0] for line in done.stdout.splitlines() if "::" in line}
    folders = [PROJECT_ROOT / "tests" / suite / "producer" for suite in ("unit", "integration")]
    everything = {str(file.relative_to(PROJECT_ROOT)) for folder in folders for file in folder.glob("test_*.py")}
    assert files == everything - {"tests/integration/producer/test_outage.py"}
