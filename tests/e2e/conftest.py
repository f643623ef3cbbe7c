"""Either sink under the whole stack."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import external, run_clickpulse

SWITCH_SECONDS = 300


@pytest.fixture(scope="module")
def connect_sink(stack: Path, connector_archive: dict[str, str]) -> Iterator[None]:  # noqa: ARG001 - it has to run
    """The stack with Kafka Connect in the embedded sink's place, as `SINK=connect clickpulse up` makes it."""
    if external():
        pytest.skip("the stack is started elsewhere, with the sink that it has")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in connector_archive.items():
            patch.setenv(name, value)
        patch.setenv("SINK", "connect")
        run_clickpulse("up", "--no-traffic", timeout=SWITCH_SECONDS)
        try:
            yield
        finally:
            patch.setenv("SINK", "embedded")
            run_clickpulse("up", "--no-traffic", timeout=SWITCH_SECONDS)


@pytest.fixture(scope="module", params=["embedded", "connect"])
def sink(request: pytest.FixtureRequest, stack: Path) -> str:  # noqa: ARG001 - it has to run
    """A test that wants this runs with each sink."""
    if request.param == "connect":
        request.getfixturevalue("connect_sink")
    return str(request.param)
