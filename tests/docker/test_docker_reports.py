"""Events go through all containers and come out as reports with the right numbers, also when containers are killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from clickpulse.windows import MinuteWindow
from tests.docker.accounts import account
from tests.docker.deployment import Deployment
from tests.docker.reports import Reports
from tests.docker.simulation import DURATION_SECONDS, RATE, last_json, sent_so_far, simulation
from tests.e2e.test_minutely_report import count_file
from tests.support import wait_for, wait_for_a_minute_of_its_own

RECOVERY_SECONDS = 240


def replay(deployment: Deployment) -> dict[str, Any]:
    """The file of the tests, sent by the producer's image; returns what that command tells of it."""
    data = deployment.folder / "tests" / "data"
    done = deployment.compose(
        *("run", "--rm", "--no-TTY", "--no-deps", "--volume", f"{data}:/clicks:ro", "producer"),
        *("replay", "/clicks/clickstream_small.csv", "--mapping", "/clicks/mappings/clickstream_small.yaml"),
        *("--speed", "max", "--json", "--quiet"),
    )
    return last_json(done)


def test_the_simulated_traffic_is_reported(deployment: Deployment, reports: Reports) -> None:
    wait_for_a_minute_of_its_own()
    window = MinuteWindow.containing(datetime.now(UTC))
    report = reports.await_complete(window)
    found = account(deployment, window, after(window))
    assert report["totals"]["events"] == found["totals"]["reported"] == found["totals"]["acknowledged"] > 0


@pytest.fixture(scope="module")
def quiet(deployment: Deployment) -> Iterator[None]:
    """No events but a test's own."""
    deployment.compose("stop", "producer")
    wait_for_a_minute_of_its_own()
    yield
    deployment.compose("start", "producer")
    wait_for(lambda: deployment.states()["producer"] == {"healthy"}, seconds=120, what="a healthy producer")


def test_a_replayed_file_has_its_own_numbers_in_the_report(
    deployment: Deployment, reports: Reports, quiet: None
) -> None:
    del quiet
    summary, expected = replay(deployment), count_file()
    assert summary["acknowledged"] == expected.events.total()
    (window,) = [MinuteWindow.parse(text) for text in summary["acknowledged_per_minute"]]
    report = reports.await_complete(window)
    assert report["totals"]["events"] == expected.events.total()
    assert report["totals"]["errors"] == expected.errors.total()
    counted = {name: (each["events"], each["errors"]) for name, each in report["by_event_type"].items()}
    assert {name: each for name, each in counted.items() if each[0]} == {
        name: (count, expected.errors[name]) for name, count in expected.events.items()
    }


@pytest.mark.parametrize(
    "killed",
    [["connect"], ["clickhouse"], ["airflow-worker", "airflow-scheduler"], ["kafka", "s3", "spark-connect"]],
    ids=" and ".join,
)
def test_killed_containers_come_back_and_every_event_counts_once(
    deployment: Deployment, reports: Reports, quiet: None, killed: list[str]
) -> None:
    del quiet
    wait_for_a_minute_of_its_own()
    before = {container.service: container.details["RestartCount"] for container in deployment.containers()}
    with simulation(deployment) as simulated:
        wait_for(lambda: sent_so_far(deployment, simulated), seconds=60, what="the first events to be acknowledged")
        for service in killed:
            kill(deployment, service)
        summary = simulated.summary()

    def recovered() -> bool:
        return all(
            container.state == "healthy" and container.details["RestartCount"] > before[container.service]
            for container in deployment.containers()
            if container.service in killed
        )

    wait_for(recovered, seconds=RECOVERY_SECONDS, what=f"{killed} to be healthy again")
    assert summary["acknowledged"] == RATE * DURATION_SECONDS
    expected = {MinuteWindow.parse(text): count for text, count in summary["acknowledged_per_minute"].items()}
    assert {window: reports.await_complete(window)["totals"]["events"] for window in expected} == expected
    first, end = min(expected), max(expected)
    done = deployment.run_in(
        "airflow-worker", "clickpulse", "reconcile", f"{first}", f"{MinuteWindow.containing(end.end)}"
    )
    assert done.status == 0, done.said


def after(window: MinuteWindow) -> MinuteWindow:
    return MinuteWindow.containing(window.end)


def kill(deployment: Deployment, service: str) -> None:
    """SIGKILL the main process from outside, as the kernel does when memory runs out; the engine isn't told."""
    (container,) = [one for one in deployment.containers() if one.service == service]
    os.kill(container.details["State"]["Pid"], signal.SIGKILL)
