"""What an operator does with the running stack: stop and start it, back it up, restore it on an empty server."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.docker.conftest import START_SECONDS, start
from tests.docker.deployment import COMPOSE, Deployment
from tests.docker.reports import Reports
from tests.support import wait_for

PARTS = ("registry", "s3")
DATABASES = ("reports", "airflow")


def schemas(deployment: Deployment) -> str:
    """Every schema with its id, as the registry tells them."""
    script = (
        "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8081/apis/ccompat/v7/schemas').read().decode())"
    )
    done = deployment.run_in("registry", "python", "-c", script)
    assert done.status == 0, done.said
    return done.said


@pytest.fixture(scope="module")
def kept(deployment: Deployment, reports: Reports) -> list[dict[str, Any]]:
    """The reports there are, of which no more are made from here on."""
    wait_for(reports.newest, seconds=START_SECONDS, what="a report")
    deployment.compose("stop", "airflow-scheduler", "airflow-worker", "producer", seconds=180)
    return reports.newest()


def test_down_keeps_the_data(deployment: Deployment, reports: Reports, kept: list[dict[str, Any]]) -> None:
    ids = schemas(deployment)
    deployment.compose("down", seconds=300)
    start(deployment)
    assert [reports.of(report["window"]) for report in kept] == kept
    assert schemas(deployment) == ids


def test_a_backup_is_restored_on_an_empty_server(
    deployment: Deployment, reports: Reports, kept: list[dict[str, Any]], tmp_path: Path
) -> None:
    ids = schemas(deployment)
    deployment.compose("stop", "airflow-scheduler", "airflow-worker", "producer", seconds=180)
    back_up(deployment, tmp_path)
    deployment.compose("down", "--volumes", seconds=300)

    deployment.compose("up", "--detach", *PARTS, "clickhouse", seconds=300)
    deployment.compose("run", "--rm", "postgres-setup", seconds=180)
    restore(deployment, tmp_path)
    start(deployment)
    assert [reports.of(report["window"]) for report in kept] == kept
    assert schemas(deployment) == ids


def back_up(deployment: Deployment, folder: Path) -> None:
    for name in DATABASES:
        dump = ("pg_dump", "--username=clickpulse", "--format=custom", name)
        stream(deployment, "exec", "-T", "postgres", *dump, out=folder / f"{name}.dump")
    deployment.compose("stop", *PARTS)
    for name in PARTS:
        stream(deployment, *in_volume(name), "-c", ".", out=folder / f"{name}.tar")


def restore(deployment: Deployment, folder: Path) -> None:
    for name in DATABASES:
        load = ("pg_restore", "--username=clickpulse", f"--dbname={name}", "--clean", "--if-exists")
        stream(deployment, "exec", "-T", "postgres", *load, given=folder / f"{name}.dump")
    deployment.compose("stop", *PARTS)
    for name in PARTS:
        stream(deployment, *in_volume(name), "-x", given=folder / f"{name}.tar")


def in_volume(service: str) -> tuple[str, ...]:
    return ("run", "--rm", "-T", "--no-deps", "--entrypoint", "tar", service, "-C", "/var/lib/clickpulse")


def stream(
    deployment: Deployment, *arguments: str, out: Path = Path("/dev/null"), given: Path = Path("/dev/null")
) -> None:
    """Run `docker compose` with files as its standard input and output, as a shell's redirections do."""
    with given.open("rb") as source, out.open("wb") as sink:
        done = subprocess.run(
            [COMPOSE, *arguments],
            cwd=deployment.folder,
            env=deployment.environment,
            stdin=source,
            stdout=sink,
            stderr=subprocess.PIPE,
            check=False,
            timeout=300,
        )
    assert done.returncode == 0, done.stderr.decode()
