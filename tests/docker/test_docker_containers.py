"""What docker-compose.yml promises of each container, read off the running ones."""

from __future__ import annotations

import json
import re

import pytest

from tests.docker.deployment import Container, Deployment, command

LONGEST_NAME = 12
"""Generated secrets are longer than this; what is shorter is a name."""


@pytest.fixture(scope="module")
def running(deployment: Deployment) -> list[Container]:
    return [container for container in deployment.containers() if container.details["State"]["Running"]]


def inside(deployment: Deployment, container: Container, *words: str) -> str:
    done = command("docker", "exec", container.id, *words, cwd=deployment.folder)
    assert done.status == 0, f"{container.service}: {done.said}"
    return done.said


def test_no_container_has_rights(deployment: Deployment, running: list[Container]) -> None:
    for container in running:
        status = dict(
            line.split(":", 1) for line in inside(deployment, container, "cat", "/proc/1/status").splitlines()
        )
        users = set(status["Uid"].split())
        assert "0" not in users, container.service
        assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0, container.service
        assert status["NoNewPrivs"].strip() == "1", container.service


def test_no_container_can_write_its_root_file_system(deployment: Deployment, running: list[Container]) -> None:
    for container in running:
        mounts = inside(deployment, container, "cat", "/proc/mounts").splitlines()
        (root,) = [line.split()[3] for line in mounts if line.split()[1] == "/"]
        assert "ro" in root.split(","), container.service


def test_every_container_has_its_memory_limit(deployment: Deployment, running: list[Container]) -> None:
    services = deployment.model()["services"]
    script = "cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes"
    for container in running:
        limit = inside(deployment, container, "sh", "-c", script)
        assert int(limit) == int(services[container.service]["mem_limit"]), container.service


def test_ports_are_published_on_this_machine_alone(running: list[Container]) -> None:
    published = {
        (container.service, binding["HostIp"])
        for container in running
        for bindings in container.details["NetworkSettings"]["Ports"].values()
        for binding in bindings or ()
    }
    assert published == {(service, "127.0.0.1") for service in ("airflow-api", "dashboard", "report-api")}


def test_no_secret_is_in_a_definition_a_process_list_or_a_log(deployment: Deployment, running: list[Container]) -> None:
    secrets = {secret for secret in deployment.secrets() if len(secret) > LONGEST_NAME}
    assert len(secrets) > 20
    places = {
        "definitions": json.dumps([container.details for container in deployment.containers()]),
        "images": command(
            "docker", "image", "inspect", *{c.details["Image"] for c in running}, cwd=deployment.folder
        ).said,
        "processes": deployment.compose("top"),
        "logs": deployment.compose("logs", "--no-color"),
    }
    for place, text in places.items():
        assert text, place
        leaked = [secret[:4] + "…" for secret in secrets if re.search(re.escape(secret), text)]
        assert not leaked, f"{place}: {leaked}"
