"""The other ways to start the stack: each goes on where the one before stopped, and reports what Kafka has."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from clickpulse.windows import MinuteWindow
from tests.docker.accounts import account
from tests.docker.conftest import START_SECONDS, start
from tests.docker.deployment import STAND_INS, STAND_INS_TLS, Deployment
from tests.docker.reports import Reports
from tests.docker.simulation import DURATION_SECONDS, RATE, sent_so_far, simulation
from tests.support import wait_for, wait_for_a_minute_of_its_own

KAFKA = ("kafka", "kafka-2", "kafka-3")


@pytest.fixture
def restored(deployment: Deployment) -> Iterator[None]:
    """The plain start again, afterwards."""
    files = deployment.variables["COMPOSE_FILE"]
    yield
    deployment.write_variables(COMPOSE_FILE=files)
    start(deployment, "--remove-orphans")


@pytest.mark.parametrize("variant", ["embedded-sink", "submit", "tls"])
def test_a_variant_reports_what_kafka_has(
    deployment: Deployment, restored: None, stand_ins: list[str], variant: str
) -> None:
    del restored
    files = ["docker-compose.yml", f"docker-compose.{variant}.yml", *stand_ins]
    if variant == "tls" and STAND_INS in files:
        files.append(STAND_INS_TLS)
    deployment.write_variables(COMPOSE_FILE=":".join(files))
    start(deployment, "--remove-orphans")
    states = deployment.states()
    assert all(found <= {"healthy", "exited 0"} for found in states.values()), states

    reports = Reports.published_by(deployment, scheme="https" if variant == "tls" else "http")
    wait_for_a_minute_of_its_own()
    window = MinuteWindow.containing(datetime.now(UTC))
    report = reports.await_complete(window)
    found = account(deployment, window, MinuteWindow.containing(window.end))
    assert report["totals"]["events"] == found["totals"]["reported"] == found["totals"]["acknowledged"] > 0


@pytest.fixture
def cluster(server: Deployment) -> Iterator[Deployment]:
    """Three Kafka nodes, in a project of their own: voters are chosen before the first start."""
    cluster = Deployment(server.folder, server.variables["COMPOSE_FILE"].split(":"), server.variables)
    cluster.environment |= {
        "COMPOSE_PROJECT_NAME": "clickpulse-docker-test-cluster",
        "COMPOSE_ENV_FILES": ".env,env/cluster.env,compose.override.env",
        "COMPOSE_PROFILES": "cluster",
    }
    try:
        yield cluster
    finally:
        cluster.try_compose("down", "--volumes", "--remove-orphans", "--timeout=20", seconds=300)


@pytest.mark.parametrize("stopped", KAFKA)
def test_one_of_three_kafka_nodes_may_be_down(cluster: Deployment, stopped: str) -> None:
    cluster.compose("up", "--detach", *KAFKA, "kafka-setup", "registry-setup", seconds=START_SECONDS)
    wait_for(lambda: cluster.states()["registry-setup"] == {"exited 0"}, seconds=120, what="the schema")
    with simulation(cluster) as simulated:
        wait_for(lambda: sent_so_far(cluster, simulated), seconds=60, what="the first events to be acknowledged")
        cluster.compose("stop", stopped, seconds=90)
        summary = simulated.summary()
    assert summary["acknowledged"] == RATE * DURATION_SECONDS
