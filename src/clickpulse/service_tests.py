"""Which tests belong to which service: `tests/services.toml`, for this machine and for the test containers."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from clickpulse.errors import ConfigurationError
from clickpulse.settings import PROJECT_ROOT

TABLE = PROJECT_ROOT / "tests" / "services.toml"
STARTS_VARIABLE = "CLICKPULSE_TEST_SERVICES"
"""Tells the fixture `stack` which services to start, with commas; all where it isn't set."""


@dataclass(frozen=True)
class ServiceTests:
    """A service's tests, what of them is left out, and what runs for them, locally and as containers."""

    tests: tuple[str, ...]
    starts: tuple[str, ...]
    containers: tuple[str, ...] = ()
    leaves_out: tuple[str, ...] = ()

    @property
    def pytest_arguments(self) -> list[str]:
        """The selection as pytest takes it: a file that is left out isn't even imported."""
        options = [f"--deselect={item}" if "::" in item else f"--ignore={item}" for item in self.leaves_out]
        return [*self.tests, *options]


def read_table(file: Path = TABLE) -> dict[str, ServiceTests]:
    """Return every service of the table."""
    document = tomllib.loads(file.read_text(encoding="utf-8"))
    return {
        name: ServiceTests(**{key: tuple(values) for key, values in entry.items()}) for name, entry in document.items()
    }


def selection_of(service: str) -> ServiceTests:
    """Return a service's tests.

    Raises:
        ConfigurationError: the table has no such service.
    """
    table = read_table()
    if service not in table:
        raise ConfigurationError(f"no tests belong to a service {service!r}: there are {', '.join(table)}")
    return table[service]
