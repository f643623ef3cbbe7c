"""Which services `up --only` starts."""

from __future__ import annotations

import pytest

from clickpulse.errors import ConfigurationError
from local.selection import with_needed
from local.services.base import Service

NEEDS = {"database": (), "queue": (), "store": ("queue",), "page": ("store", "database")}
SERVICES = [Service(name, name, command=[], probe=lambda: None, needs=needs) for name, needs in NEEDS.items()]


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        ([], ["database", "queue", "store", "page"]),
        (["queue"], ["queue"]),
        (["store", "database"], ["database", "queue", "store"]),
        (["page"], ["database", "queue", "store", "page"]),
    ],
)
def test_what_is_named_comes_with_all_that_it_needs(only: list[str], expected: list[str]) -> None:
    assert [service.name for service in with_needed(SERVICES, only)] == expected


def test_a_name_of_no_service_is_told() -> None:
    with pytest.raises(ConfigurationError, match="no service is called stor: there are database, queue, store, page"):
        with_needed(SERVICES, ["queue", "stor"])
