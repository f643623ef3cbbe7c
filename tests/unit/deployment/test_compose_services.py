"""What every container of the distributed profile has, whichever way it is started."""

from __future__ import annotations

import importlib.util
import re

import pytest

from clickpulse.settings import PROJECT_ROOT
from tests.unit.deployment.compose_model import (
    VARIANTS,
    Model,
    Service,
    listening_ports,
    load_model,
    one_shots,
    run_compose,
    words,
)

MIB = 1024**2
EXACT_VERSION = re.compile(r":v?\d+\.\d+\.\d+[\w.-]*$|@sha256:[0-9a-f]{64}$|:\d+\.\d+-\w+$")
"""A whole version (or Postgres' two numbers with a distribution), or a digest."""


@pytest.mark.parametrize("variant", VARIANTS)
def test_compose_accepts_it_without_a_warning(variant: str) -> None:
    done = run_compose(*VARIANTS[variant], "config", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("file", sorted(PROJECT_ROOT.glob("tests/docker-compose.test.*.yml")), ids=lambda f: f.name)
def test_compose_accepts_the_tests_files(file: object) -> None:
    done = run_compose("-f", str(file), "config", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")


def test_plain_up_is_one_of_everything_but_the_profiles() -> None:
    names = set(load_model(())["services"])
    assert {"kafka", "registry", "connect", "clickhouse", "s3", "postgres", "redis"} <= names
    assert {"spark-master", "spark-worker", "spark-connect", "producer", "report-api", "dashboard"} <= names
    assert {f"airflow-{part}" for part in ("api", "scheduler", "dag-processor", "worker")} <= names
    assert not {"kafka-2", "kafka-3", "kafka-ui", "prometheus", "grafana", "creds", "certs"} & names


def test_each_runs_as_an_ordinary_user_with_nothing_it_does_not_need(services: dict[str, Service]) -> None:
    for name, service in services.items():
        user, _, group = service["user"].partition(":")
        assert int(user) > 0, name
        assert int(group) > 0, name
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["init"] is True, name
        assert not {"privileged", "cap_add", "pid", "devices"} & service.keys(), name
        assert service.get("network_mode") in {None, "none"}, name


def test_each_is_watched_limited_and_started_again(services: dict[str, Service]) -> None:
    ending = one_shots(services)
    for name, service in services.items():
        assert int(service["mem_limit"]) >= 64 * MIB, name
        assert service["stop_grace_period"], name
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name
        check = service["healthcheck"]
        if name in ending:
            assert (service["restart"], check) == ("no", {"disable": True}), name
        else:
            assert service["restart"] == "unless-stopped", name
            assert check["test"][0] == "CMD", name
            assert {"interval", "timeout", "retries", "start_period"} <= check.keys(), name


def test_every_image_has_a_whole_version(services: dict[str, Service]) -> None:
    for name, service in services.items():
        assert EXACT_VERSION.search(service["image"]), f"{name}: {service['image']}"
        for argument, image in service.get("build", {}).get("args", {}).items():
            if argument.endswith("_IMAGE"):
                assert EXACT_VERSION.search(image), f"{name}: {image}"


def test_no_shell_runs_anything(services: dict[str, Service]) -> None:
    for name, service in services.items():
        for part in (service.get("entrypoint"), service.get("command")):
            assert part is None or isinstance(part, list), name
        assert not {"sh", "bash", "/bin/sh", "/bin/bash", "CMD-SHELL"} & set(words(service)), name


def test_every_module_that_is_run_exists(services: dict[str, Service]) -> None:
    for name, service in services.items():
        parts = words(service)
        for module in (parts[place + 1] for place, word in enumerate(parts) if word == "-m"):
            assert importlib.util.find_spec(module) is not None, f"{name}: {module}"


def test_health_checks_look_where_something_listens(services: dict[str, Service]) -> None:
    inside_only = {"registry": {9084}, "airflow-scheduler": {8974}, "spark-master": {8080}}
    for name, service in services.items():
        for port in map(int, re.findall(r"//127\.0\.0\.1:(\d+)", " ".join(words(service)))):
            assert port in listening_ports(service) | inside_only.get(name, set()), f"{name}: {port}"


def test_published_ports_are_this_machines_alone(services: dict[str, Service]) -> None:
    published = [port for service in services.values() for port in service.get("ports", ())]
    assert {port["host_ip"] for port in published} == {"127.0.0.1"}
    numbers = [port["published"] for port in published]
    assert len(numbers) == len(set(numbers))


def test_what_is_kept_is_in_volumes_of_its_own(model: Model) -> None:
    owners: dict[str, set[str]] = {}
    for name, service in model["services"].items():
        for mount in service.get("volumes", ()):
            if mount["type"] == "volume" and mount.get("source"):
                owners.setdefault(mount["source"], set()).add(name)
    shared = {volume: names for volume, names in owners.items() if len(names) > 1}
    assert set(shared) <= {"airflow-home"}
    assert owners.keys() <= model["volumes"].keys()
