"""Who reaches whom: exactly those that share a network, and only what browsers use has a way out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.docker.deployment import Deployment, command

PROBE = """
import concurrent.futures, json, socket, sys

def reachable(address):
    host, port = address.split(":")
    try:
        socket.create_connection((host, int(port)), 3).close()
    except OSError:
        return False
    return True

addresses = json.loads(sys.argv[1])
with concurrent.futures.ThreadPoolExecutor(len(addresses)) as pool:
    print(json.dumps(dict(zip(addresses, pool.map(reachable, addresses)))))
"""
"""All at once, as a name that nobody has may take a while to be refused."""

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


def test_only_what_browsers_reach_is_in_a_network_with_a_way_out(
    deployment: Deployment, services: dict[str, Any]
) -> None:
    networks = command("docker", "network", "ls", "--quiet", cwd=deployment.folder).said.split()
    found = json.loads(command("docker", "network", "inspect", *networks, cwd=deployment.folder).said)
    way_out = {network["Name"] for network in found if not network["Internal"]}
    for container in deployment.containers():
        if container.service in services:
            names = set(container.details["NetworkSettings"]["Networks"])
            open_to = {"pages", "operators"} & set(services[container.service]["networks"])
            assert {name.rsplit("_")[-1] for name in names & way_out} == open_to, container.service
            assert len(names) == len(services[container.service]["networks"]), container.service
