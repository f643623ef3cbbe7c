"""The resolved model of every way to start the distributed profile."""

from __future__ import annotations

import pytest

from tests.unit.deployment.compose_model import VARIANTS, Model, Service, load_model


@pytest.fixture(params=VARIANTS)
def model(request: pytest.FixtureRequest) -> Model:
    return load_model(VARIANTS[request.param])


@pytest.fixture
def services(model: Model) -> dict[str, Service]:
    found: dict[str, Service] = model["services"]
    return found


@pytest.fixture(scope="session")
def everything() -> Model:
    """Every service that there is, of the plain file."""
    return load_model(VARIANTS["every-profile"])
