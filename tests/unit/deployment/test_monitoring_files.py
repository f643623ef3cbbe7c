"""Prometheus and Grafana ask for what is there."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest

from clickpulse.settings import PROJECT_ROOT
from connect.condition import Condition
from connect.sink.status import Status
from dashboard_api.metrics import Metrics
from tests.unit.deployment.compose_model import VARIANTS, Model, listening_ports, load_model, neighbours

FOLDER = PROJECT_ROOT / "monitoring"
METRIC = re.compile(r"\b(?:sink|clickpulse)_[a-z_]+\b")
FILES = {"prometheus.yml": "every-profile", "prometheus-tls.yml": "tls"}


def _exposed() -> set[str]:
    """The metrics of the report API and of both sinks, by the names that Prometheus stores."""
    names = set()
    for registry in (Metrics([])._registry, Status().registry, Condition().registry):
        assert isinstance(registry, CollectorRegistry)
        generate_latest(registry)
        for family in registry.collect():
            suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}.get(family.type, ("",))
            names |= {family.name + suffix for suffix in suffixes}
    return names


def _dashboard() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / "grafana" / "clickpulse.json").read_text())
    return document


def test_alerts_and_panels_ask_for_metrics_that_there_are() -> None:
    rules = yaml.safe_load((FOLDER / "rules.yml").read_text())
    expressions = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    expressions += [target["expr"] for panel in _dashboard()["panels"] for target in panel["targets"]]
    used = {name for expression in expressions for name in METRIC.findall(expression)}
    assert len(used) > 7
    assert used <= _exposed()


def test_the_freshness_of_first_reports_has_the_label_that_is_asked_for() -> None:
    metrics = Metrics([])
    metrics.freshness.labels("first").observe(1)
    assert b'clickpulse_report_freshness_seconds_bucket{le="0.5",revision="first"}' in generate_latest(
        metrics._registry
    )


@pytest.mark.parametrize("name", FILES)
def test_prometheus_reaches_what_it_asks(name: str) -> None:
    services = load_model(VARIANTS[FILES[name]])["services"]
    configuration = yaml.safe_load((FOLDER / name).read_text())
    targets = [
        target.split(":")
        for job in configuration["scrape_configs"]
        for static in job["static_configs"]
        for target in static["targets"]
    ]
    assert {host for host, _ in targets} == {"report-api", "connect", "clickhouse", "127.0.0.1"}
    for host, port in targets:
        if host != "127.0.0.1":
            assert host in neighbours(services, "prometheus")
            assert int(port) in listening_ports(services[host])
    report_api = configuration["scrape_configs"][0]
    assert (report_api.get("scheme") == "https") == (name == "prometheus-tls.yml")


def test_files_are_where_they_are_looked_for(everything: Model) -> None:
    dockerfile = (FOLDER / "Dockerfile").read_text()
    copied = set(re.findall(r"/etc/[\w./-]+(?:yml|json)", dockerfile))
    copied |= {f"/etc/prometheus/{name}" for name in re.findall(r"monitoring/([\w-]+\.yml)", dockerfile)}
    services = everything["services"]
    for files in ("every-profile", "tls"):
        (option,) = load_model(VARIANTS[files])["services"]["prometheus"]["command"]
        assert option.removeprefix("--config.file=") in copied
    secrets = {f"/run/secrets/{given['target']}" for given in services["prometheus"]["secrets"]}
    for name in FILES:
        prometheus = yaml.safe_load((FOLDER / name).read_text())
        assert set(prometheus["rule_files"]) <= copied
        assert prometheus["scrape_configs"][0]["authorization"]["credentials_file"] in secrets
    provider = yaml.safe_load((FOLDER / "grafana" / "dashboards.yml").read_text())["providers"][0]
    assert f"{provider['options']['path']}/clickpulse.json" in copied
    source = yaml.safe_load((FOLDER / "grafana" / "datasource.yml").read_text())["datasources"][0]
    assert source["url"] == "http://prometheus:9090"
    assert {panel["datasource"]["uid"] for panel in _dashboard()["panels"]} == {source["uid"]}
