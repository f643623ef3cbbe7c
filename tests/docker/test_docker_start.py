"""`docker compose up -d` is the whole start, and doing it again changes nothing."""

from __future__ import annotations

from typing import Any

from tests.docker.deployment import Deployment


def once(services: dict[str, Any]) -> set[str]:
    """The services that run once."""
    return {name for name, service in services.items() if service.get("restart") == "no"}


def test_every_service_is_healthy_and_every_set_up_has_ended_well(deployment: Deployment) -> None:
    services = deployment.model()["services"]
    set_ups = once(services)
    expected = {name: {"exited 0"} if name in set_ups else {"healthy"} for name in services}
    assert deployment.states() == expected


def test_starting_again_runs_the_set_ups_again_and_replaces_nothing(deployment: Deployment) -> None:
    before = {container.id: container for container in deployment.containers()}
    deployment.compose("up", "--detach", seconds=300)
    after = {container.id: container for container in deployment.containers()}
    assert set(after) == set(before)
    ran_again = {
        container.service
        for container in after.values()
        if container.details["State"]["StartedAt"] != before[container.id].details["State"]["StartedAt"]
    }
    assert ran_again == once(deployment.model()["services"])
    assert {container.state for container in after.values() if container.service in ran_again} == {"exited 0"}
