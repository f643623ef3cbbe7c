"""The Compose file of each service's tests, as the real `docker-compose` resolves it; that needs no engine."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from clickpulse.service_tests import read_table, selection_of
from clickpulse.settings import PROJECT_ROOT

SERVICES = sorted(read_table())
TESTS = "tests"
DONE, WELL = "service_completed_successfully", "service_healthy"


@cache
def resolve(name: str) -> tuple[dict[str, Any], str]:
    """The model of a service's test file, and what Compose complained about."""
    file = PROJECT_ROOT / "tests" / f"docker-compose.test.{name}.yml"
    command = [Path(sysconfig.get_path("scripts"), "docker-compose"), "-f", file, "config", "--format", "json"]
    # No variable of this process: what the model needs is in the files.
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
    done = subprocess.run(command, cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def started(name: str) -> dict[str, dict[str, Any]]:
    """The services that `run tests` starts, the tests among them."""
    services = resolve(name)[0]["services"]
    found: dict[str, dict[str, Any]] = {}
    left = [TESTS]
    while left:
        service = left.pop()
        if service not in found:
            found[service] = services[service]
            left += [other for other in services[service].get("depends_on", {}) if other in services]
    return found


@pytest.mark.parametrize("name", SERVICES)
def test_every_variable_is_defined(name: str) -> None:
    assert resolve(name)[1] == ""


@pytest.mark.parametrize("name", SERVICES)
def test_only_what_the_table_names_is_started(name: str) -> None:
    assert set(started(name)) - {TESTS} == set(selection_of(name).containers)


@pytest.mark.parametrize("name", SERVICES)
def test_the_tests_are_those_of_the_table_and_run_in_the_services_image(name: str) -> None:
    tests = started(name)[TESTS]
    assert tests["entrypoint"][:6] == ["python", "-m", "clickpulse", "test", "--service", name]
    assert (tests["build"]["context"], tests["build"]["target"]) == (str(PROJECT_ROOT), "test")
    stages = [line.split()[-1] for line in _dockerfile(tests).splitlines() if line.startswith("FROM ")]
    assert "test" in stages
    assert tests["environment"]["CLICKPULSE_TEST_STACK"] == "external"


def _dockerfile(service: dict[str, Any]) -> str:
    return (PROJECT_ROOT / service["build"]["dockerfile"]).read_text()


@pytest.mark.parametrize("name", SERVICES)
def test_the_tests_wait_until_each_service_is_ready(name: str) -> None:
    services = started(name)
    for service, model in services.items():
        for needed, how in model.get("depends_on", {}).items():
            if needed in services:
                ends = services[needed].get("restart") == "no"
                assert how["condition"] == (DONE if ends else WELL), f"{service} -> {needed}"


@pytest.mark.parametrize("name", SERVICES)
def test_containers_are_limited_and_private(name: str) -> None:
    for service, model in started(name).items():
        assert int(model["mem_limit"]) > 0, service
        assert model["user"].split(":")[0] not in {"", "0", "root"}, service
        assert model["read_only"] is True, service
        assert model["cap_drop"] == ["ALL"], service
        assert "ports" not in model, service
        ends = model.get("restart") == "no"
        assert model["healthcheck"].get("disable", False) == ends, service
        image, _, tag = model["image"].rpartition(":")
        assert service == TESTS or (image and tag not in {"", "latest"}), service


@pytest.mark.parametrize("name", SERVICES)
def test_removing_the_volumes_leaves_those_of_a_running_stack_alone(name: str) -> None:
    model = resolve(name)[0]
    assert model["name"] == f"clickpulse-test-{name}"
    assert {volume["name"].removeprefix(f"{model['name']}_") for volume in model["volumes"].values()} == set(
        model["volumes"]
    )


@pytest.mark.parametrize("name", SERVICES)
def test_the_tests_reach_what_they_are_told_of(name: str) -> None:
    services = started(name)
    networks = set(services[TESTS]["networks"])
    values = services[TESTS]["environment"].values()
    hosts = {host for value in values if (host := urlsplit(value).hostname)}
    hosts |= {value.split(":")[0] for value in values if value.split(":")[0] in resolve(name)[0]["services"]}
    assert hosts
    for host in hosts:
        assert host in services, f"{host} is not started"
        assert networks & set(services[host]["networks"]), f"{host} is in none of the tests' networks"


@pytest.mark.parametrize("name", SERVICES)
def test_the_tests_have_the_secrets_and_no_more_than_exist(name: str) -> None:
    model = resolve(name)[0]
    for secret in model["services"][TESTS]["secrets"]:
        file = Path(model["secrets"][secret["source"]]["file"])
        assert file.is_relative_to(PROJECT_ROOT / "env")
        assert secret["target"] in {file.name, "/run/secrets/certs/ca.crt"}
