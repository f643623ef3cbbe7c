"""The distributed profile, started by Docker as docs/deployment.md says: `clickpulse test docker`.

It works in a copy of the project, with secrets, ports and volumes of its own, beside whatever else the engine runs.

    CLICKPULSE_TEST_PREBUILT=true    the images are there already, as `python -m tests.images --load` leaves them
    CLICKPULSE_TEST_STAND_INS=true   nothing can be pulled: tests/compose/stand_ins for ClickHouse, Postgres and Redis
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker.deployment import STAND_IN_IMAGES, STAND_INS, USER, Deployment, command, copy_project, give_to
from tests.docker.reports import Reports
from tests.support import free_port, wait_for

START_SECONDS = 900
BUILD_SECONDS = 3600
TEST_SECONDS = 2400
"""Longest for one test: a service's stack starts, runs its tests and ends within it."""

PORTS = ("REPORT_API", "DASHBOARD", "AIRFLOW", "KAFKA_UI", "GRAFANA")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.timeout(TEST_SECONDS))


def asked_for(name: str) -> bool:
    return os.environ.get(name, "").lower() in {"1", "true", "yes"}


@pytest.fixture(scope="session")
def engine() -> None:
    """A Docker engine, without which this suite has no meaning: it fails, rather than skips."""
    found = command("docker", "version", cwd=Path.cwd()) if shutil.which("docker") else None
    assert found is not None, "there is no `docker` on this machine: this suite needs Docker Engine"
    assert found.status == 0, f"no Docker engine answers (DOCKER_HOST may name another one):\n{found.said}"


@pytest.fixture(scope="session")
def project(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with secrets and certificates of its own, made by Docker."""
    del engine
    folder = tmp_path_factory.mktemp("server") / "clickpulse"
    folder.mkdir()
    copy_project(folder)
    return folder


@pytest.fixture(scope="session")
def operators_variables(project: Path, request: pytest.FixtureRequest) -> dict[str, str]:
    """What the operator has in `compose.override.env`."""
    user, group = (USER, USER) if os.geteuid() == 0 else (os.getuid(), os.getgid())
    variables = {"CLICKPULSE_UID": str(user), "CLICKPULSE_GID": str(group), "PRODUCER_RATE": "50"}
    variables |= {f"{name}_PUBLISHED_PORT": str(free_port()) for name in PORTS}
    if asked_for("CLICKPULSE_TEST_STAND_INS"):
        variables |= STAND_IN_IMAGES
    if not asked_for("CLICKPULSE_TEST_PREBUILT"):
        found = request.getfixturevalue("connector_archive")
        archive = Path(found["CONNECT_SINK_ARCHIVE"])
        (project / "connect" / "archive").mkdir(exist_ok=True)
        shutil.copy2(archive, project / "connect" / "archive" / archive.name)
        variables["CONNECT_SINK_ARCHIVE"] = f"/app/connect/archive/{archive.name}"
        variables["CONNECT_SINK_SHA256"] = found["CONNECT_SINK_SHA256"]
    return variables


@pytest.fixture(scope="session")
def stand_ins() -> list[str]:
    """The file that lays them over Compose's, where they are asked for."""
    return [STAND_INS] if asked_for("CLICKPULSE_TEST_STAND_INS") else []


@pytest.fixture(scope="session")
def server(project: Path, operators_variables: dict[str, str], stand_ins: list[str]) -> Deployment:
    """The project on a fresh server: images, secrets and certificates, nothing running."""
    server = Deployment(project, ["docker-compose.yml", *stand_ins], operators_variables)
    server.environment["COMPOSE_PROJECT_NAME"] = "clickpulse-docker-test"
    server.write_variables()
    if os.geteuid() == 0:
        give_to(project, USER)
    if not asked_for("CLICKPULSE_TEST_PREBUILT"):
        server.compose("build", seconds=BUILD_SECONDS)
    server.compose("run", "--rm", "creds")
    server.compose("run", "--rm", "certs")
    return server


@pytest.fixture(scope="session")
def deployment(server: Deployment) -> Iterator[Deployment]:
    """The whole stack, after `docker compose up -d`."""
    try:
        start(server)
        yield server
    finally:
        server.try_compose("down", "--volumes", "--remove-orphans", "--timeout=20", seconds=300)


def start(server: Deployment, *options: str) -> None:
    """`docker compose up -d`, until nothing is still starting."""
    server.compose("up", "--detach", *options, seconds=START_SECONDS)

    def settled() -> bool:
        return not any("starting" in states for states in server.states().values())

    wait_for(settled, seconds=START_SECONDS, what="every container to be healthy")


@pytest.fixture(scope="session")
def reports(deployment: Deployment) -> Reports:
    return Reports.published_by(deployment)
