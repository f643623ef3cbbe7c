"""Which services are started where only some are wanted."""

from __future__ import annotations

from collections.abc import Sequence

from clickpulse.errors import ConfigurationError
from local.services.base import Service


def with_needed(services: Sequence[Service], only: Sequence[str]) -> list[Service]:
    """The services named in `only` and all that they need, in the given order; every service where none is named.

    Raises:
        ConfigurationError: a name is of no service.
    """
    known = {service.name: service for service in services}
    if unknown := sorted(set(only) - known.keys()):
        raise ConfigurationError(f"no service is called {', '.join(unknown)}: there are {', '.join(known)}")
    wanted: set[str] = set()
    left = list(only or known)
    while left:
        name = left.pop()
        if name not in wanted:
            wanted.add(name)
            left += known[name].needs
    return [service for service in services if service.name in wanted]
