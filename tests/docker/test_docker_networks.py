"""Who reaches whom: exactly those that share a network, and only what browsers use has a way out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.docker.deployment import Deployment

PROBE = """
import json, socket, sys
found = {}
for address in json.loads(sys.argv[1]):
    host, port = address.split(":")
    try:
        socket.create_connection((host, int(port)), 3).close()
        found[address] = True
    except OSError:
        found[address] = False
print(json.dumps(found))
"""
NO_PYTHON = {"postgres", "redis", "clickhouse"}
"""Their images have none, so they aren't asked from; others ask for them."""


@pytest.fixture(scope="module")
def services(deployment: Deployment) -> dict[str, Any]:
    found = deployment.model()["services"]
    return {name: service for name, service in found.items() if service.get("restart") != "no"}


def addresses(services: dict[str, Any]) -> dict[str, str]:
    """Every port that a service listens on, and the service."""
    return {
        f"{name}:{port}": name
        for name, service in services.items()
        for port in [*service.get("expose", ()), *(str(port["target"]) for port in service.get("ports", ()))]
    }


def test_a_service_reaches_those_of_its_networks_and_no_other(deployment: Deployment, services: dict[str, Any]) -> None:
    listening = addresses(services)
    assert len(listening) > 12
    for asking in sorted(set(services) - NO_PYTHON):
        done = deployment.run_in(asking, "python", "-c", PROBE, json.dumps(sorted(listening)))
        assert done.status == 0, done.said
        own = set(services[asking]["networks"])
        expected = {address: bool(own & set(services[name]["networks"])) for address, name in listening.items()}
        assert json.loads(done.said) == expected, asking


def test_only_what_browsers_reach_has_a_way_out(deployment: Deployment, services: dict[str, Any]) -> None:
    for name, service in services.items():
        routes = deployment.run_in(name, "cat", "/proc/net/route").said.splitlines()[1:]
        has_way_out = any(line.split()[1] == "00000000" for line in routes)
        assert has_way_out == bool({"pages", "operators"} & set(service["networks"])), name
