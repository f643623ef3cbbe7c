"""The order of the start: by health and completion, without a circle, each once-only step before those it is for."""

from __future__ import annotations

from graphlib import TopologicalSorter

from tests.unit.deployment.compose_model import VARIANTS, Model, Service, load_model, one_shots


def _needs(services: dict[str, Service]) -> dict[str, set[str]]:
    return {name: set(service.get("depends_on", {})) & set(services) for name, service in services.items()}


def _all_before(services: dict[str, Service], name: str) -> set[str]:
    needs, found, todo = _needs(services), set[str](), [name]
    while todo:
        new = needs[todo.pop()] - found
        found |= new
        todo += new
    return found


def test_there_is_an_order(services: dict[str, Service]) -> None:
    assert set(TopologicalSorter(_needs(services)).static_order()) == set(services)


def test_nothing_waits_for_a_mere_start(services: dict[str, Service]) -> None:
    ending = one_shots(services)
    for name, service in services.items():
        for other, dependency in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if other in ending else "service_healthy"
            assert dependency["condition"] == wanted, f"{name} -> {other}"
            assert other in services or dependency.get("required") is False, f"{name} -> {other}"


def test_what_a_service_needs_is_there_before_it(services: dict[str, Service]) -> None:
    before = {
        "producer": {"kafka-setup", "registry-setup"},
        "connect": {"kafka-setup", "registry-setup", "clickhouse-setup"},
        "spark-connect": {"spark-master", "spark-worker", "s3-setup"},
        "airflow-setup": {"postgres-setup"},
        "airflow-worker": {"airflow-api", "redis", "clickhouse-setup", "s3-setup", "report-api"},
        # Reports begin when everything is there.
        "airflow-scheduler": {"airflow-worker", "airflow-dag-processor", "connect", "spark-setup", "kafka-setup"},
        "report-api": {"postgres-setup"},
        "dashboard": {"report-api"},
    }
    for name, needed in before.items():
        if name in services:
            assert needed & services.keys() <= _all_before(services, name), name


def test_a_cluster_is_whole_before_topics_are_made() -> None:
    services = load_model(VARIANTS["cluster"])["services"]
    assert {"kafka", "kafka-2", "kafka-3"} <= set(services["kafka-setup"]["depends_on"])


def test_three_nodes_are_one_cluster() -> None:
    model: Model = load_model(VARIANTS["cluster"])
    nodes = [model["services"][name]["environment"] for name in ("kafka", "kafka-2", "kafka-3")]
    voters = dict(voter.split("@") for voter in nodes[0]["KAFKA_BROKER_VOTERS"].split(","))
    assert {node["KAFKA_BROKER_VOTERS"] for node in nodes} == {nodes[0]["KAFKA_BROKER_VOTERS"]}
    assert voters == {node["KAFKA_BROKER_NODE_ID"]: f"{node['KAFKA_BROKER_ADVERTISED_HOST']}:9093" for node in nodes}
    assert {node["KAFKA_BROKER_REPLICAS"] for node in nodes} == {"3"}
    for name in ("kafka-setup", "connect"):
        assert model["services"][name]["environment"]["KAFKA_REPLICATION_FACTOR"] == "3"
