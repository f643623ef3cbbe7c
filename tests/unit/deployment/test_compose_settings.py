"""Settings of the containers: every variable is defined, every address is one of a service that can be reached."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from dotenv import dotenv_values

from clickpulse.settings import PROJECT_ROOT
from tests.unit.deployment.compose_model import Model, Service, environment, listening_ports, neighbours, words

FILES = sorted(PROJECT_ROOT.glob("docker-compose*.yml"))
VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)([^}]*)\}")
ADDRESS = re.compile(r"(?:[a-z0-9+]+://(?:[\w.-]+@)?|\b\d@|^|,)([a-z0-9.][a-z0-9.-]*):(\d{2,5})(?=[/,?;]|$)")
"""Host and port in a URL, a voter (`1@host:port`) or a list of `host:port`."""
LOOPBACK = {"127.0.0.1", "localhost", "0.0.0.0"}  # noqa: S104 - it is looked for


def _variables(text: str) -> set[str]:
    return {name for name, _ in VARIABLE.findall(text)}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_variable_is_defined_and_has_no_second_default(file: object) -> None:
    text = PROJECT_ROOT.joinpath(str(file)).read_text()
    assert _variables(text) <= set(dotenv_values(PROJECT_ROOT / ".env"))
    assert not {rest for _, rest in VARIABLE.findall(text) if rest}, "defaults are in .env alone"


def test_every_defined_variable_is_used() -> None:
    used = set().union(*(_variables(file.read_text()) for file in FILES))
    assert set(dotenv_values(PROJECT_ROOT / ".env")) == used


def test_the_clusters_variables_are_the_one_nodes() -> None:
    single, cluster = (dotenv_values(PROJECT_ROOT / name) for name in (".env", "env/cluster.env"))
    assert cluster.keys() <= single.keys()
    assert all(cluster[name] != single[name] for name in cluster)


def _addresses(service: Service) -> Iterator[tuple[str, int]]:
    variables = environment(service)
    for text in (*variables.values(), *words(service)):
        yield from ((host, int(port)) for host, port in ADDRESS.findall(text))
    for name, host in variables.items():
        port = variables.get(f"{name.removesuffix('_HOST')}_PORT")
        if name.endswith("_HOST") and port:
            yield host, int(port)


def test_every_address_is_a_service_within_reach_that_listens_there(services: dict[str, Service]) -> None:
    seen = 0
    for name, service in services.items():
        reach = neighbours(services, name) | {name}
        for host, port in _addresses(service):
            if host in LOOPBACK:
                continue
            seen += 1
            assert host in services, f"{name}: {host}"
            assert host in reach, f"{name} does not reach {host}"
            assert port in listening_ports(services[host]), f"{name}: nothing listens at {host}:{port}"
    assert seen > 30


def test_hosts_are_called_what_they_are(services: dict[str, Service]) -> None:
    for name, service in services.items():
        assert service.get("hostname", name) == name


def test_the_browsers_addresses_are_published(everything: Model) -> None:
    services = everything["services"]
    airflow = services["airflow-api"]
    assert environment(airflow)["AIRFLOW__API__BASE_URL"] == f"http://127.0.0.1:{airflow['ports'][0]['published']}"
    published = {name for name, service in services.items() if service.get("ports")}
    assert published == {"airflow-api", "report-api", "dashboard", "kafka-ui", "grafana"}


def test_memory_is_enough_for_what_is_put_into_it(everything: Model) -> None:
    """A JVM takes a third and more besides its heap."""
    units = {"m": 1024**2, "g": 1024**3}

    def size(text: str) -> int:
        return int(text[:-1]) * units[text[-1].lower()]

    services = everything["services"]
    for name, variable in (("kafka", "KAFKA_BROKER_HEAP_MB"), ("connect", "CONNECT_HEAP_MB")):
        heap = int(environment(services[name])[variable]) * 1024**2
        assert heap * 1.33 < int(services[name]["mem_limit"]), name
    spark = environment(services["spark-worker"])
    assert size(spark["SPARK_WORKER_MEMORY"]) * 1.33 < int(services["spark-worker"]["mem_limit"])
    assert size(spark["SPARK_EXECUTOR_MEMORY"]) <= size(spark["SPARK_WORKER_MEMORY"])
    driver = size(environment(services["spark-connect"])["SPARK_DRIVER_MEMORY"])
    assert driver * 1.33 < int(services["spark-connect"]["mem_limit"])
