"""Brings sets of `jars.lock` into the cache, for images: `python -m local.jars kafka s3a`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from clickpulse.errors import ClickpulseError
from local.java import install_sets, locked_artifacts, unpack_registry

_REGISTRY = "registry"


def main(sets: Sequence[str]) -> int:
    """Install the named sets, and unpack the registry's archive; status 2 for a set that doesn't exist."""
    known = {artifact.set_name for artifact in locked_artifacts()}
    if not sets or (unknown := set(sets) - known):
        sys.stderr.write(f"error: {', '.join(sorted(unknown)) if sets else 'no set'}: there are {sorted(known)}\n")
        return 2
    try:
        install_sets(*sets)
        if _REGISTRY in sets:
            unpack_registry()
    except ClickpulseError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
