"""Who can reach whom: what is published reaches neither Kafka, ClickHouse, S3 nor a database that isn't its own."""

from __future__ import annotations

from tests.unit.deployment.compose_model import Model, Service, neighbours, one_shots

KAFKA = {"kafka", "kafka-2", "kafka-3"}
AIRFLOW = {"airflow-api", "airflow-scheduler", "airflow-dag-processor", "airflow-worker"}
MAY_REACH = {
    "dashboard": {"report-api", "airflow-api"},
    # Its database and its rate limits; who posts reports to it; who reads its metrics.
    "report-api": {"postgres", "redis", "dashboard", "airflow-api", "airflow-worker", "prometheus"},
    "airflow-api": {"postgres", "redis", "dashboard", "report-api", *AIRFLOW},
    # It is there to show Kafka.
    "kafka-ui": {*KAFKA, "registry", "connect", "producer", "airflow-worker", "grafana"},
    "grafana": {"prometheus", "kafka-ui"},
}
"""Published service -> all it may reach besides what runs once."""


def test_what_is_published_reaches_only_what_it_must(services: dict[str, Service]) -> None:
    published = {name for name, service in services.items() if service.get("ports")}
    assert published <= MAY_REACH.keys()
    for name in published:
        assert neighbours(services, name) - one_shots(services) <= MAY_REACH[name], name


def test_the_page_reaches_neither_kafka_nor_a_store(services: dict[str, Service]) -> None:
    assert neighbours(services, "dashboard") == {"report-api", "airflow-api"}


def test_only_published_services_have_a_way_out(model: Model) -> None:
    outside = {name for name, network in model["networks"].items() if not (network or {}).get("internal")}
    for name, service in model["services"].items():
        connected = bool(set(service.get("networks") or ()) & outside)
        assert connected == bool(service.get("ports")), name


def test_networks_are_named_one_by_one(services: dict[str, Service]) -> None:
    for name, service in services.items():
        assert "default" not in (service.get("networks") or ()), name
        assert bool(service.get("networks")) != (service.get("network_mode") == "none"), name
