"""What a container is given is enough for it: its settings load from its variables and its secrets, and from nothing
else.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from broker.settings import BrokerSettings
from clickpulse.airflow.dag_settings import report_settings
from clickpulse.airflow.launch import environment as airflow_environment
from clickpulse.airflow.launch import keep_first_minute
from clickpulse.certificates import ensure_certificates
from clickpulse.credentials import generate_credentials
from clickpulse.derived_secrets import derive_files
from clickpulse.revisions import Revision
from clickpulse.settings import (
    PRINCIPALS,
    PROJECT_ROOT,
    ClickHouseSettings,
    ConnectSettings,
    DashboardSettings,
    KafkaSettings,
    ProducerSettings,
    RegistrySettings,
    ReportReaderSettings,
    ReportSettings,
    ReportWriterSettings,
    S3Settings,
    SinkSettings,
    SparkSettings,
    stack_env_file,
)
from clickpulse.windows import MinuteWindow
from connect.connector import connector_config
from dashboard_api.settings import ReportApiSettings
from postgres.settings import OWNERS, PostgresServerSettings, PostgresUserSettings
from s3.settings import S3ServerSettings
from spark.properties import java_options
from spark.settings import SparkClusterSettings, SparkSecrets
from spark.submission import submission
from tests.unit.deployment.compose_model import VARIANTS, Service, environment, load_model

Load = Callable[[], Any]


def kafka_as(principal: Any) -> Load:
    return lambda: KafkaSettings.load_for(principal).client_config()


def connector() -> object:
    return connector_config(
        ConnectSettings.load(), KafkaSettings.load_for("connect"), ClickHouseSettings.load(), SinkSettings.load()
    )


def dag() -> object:
    from datetime import UTC, datetime

    keep_first_minute(stack_env_file(), datetime.now(UTC))
    return report_settings()


def airflow() -> object:
    variables = airflow_environment({})
    assert variables["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"
    assert variables["AIRFLOW__CELERY__BROKER_URL"].endswith("@redis:6379/0")
    assert variables["AIRFLOW__CORE__FERNET_KEY"]
    return variables


SPARK: tuple[Load, ...] = (SparkSettings.load, SparkClusterSettings.load, SparkSecrets.load)
NEEDED: dict[str, tuple[Load, ...]] = {
    "kafka": (BrokerSettings.load_node, lambda: KafkaSettings.load_for("admin").login()),
    "kafka-setup": tuple(kafka_as(principal) for principal in PRINCIPALS),
    "registry-setup": (KafkaSettings.load, RegistrySettings.load, ProducerSettings.load),
    "producer": (kafka_as("producer"), RegistrySettings.load, ProducerSettings.load),
    "connect": (kafka_as("connect"), RegistrySettings.load, ClickHouseSettings.load, SinkSettings.load, connector),
    "connect-setup": (connector,),
    "clickhouse-setup": (ClickHouseSettings.load,),
    "s3": (S3Settings.load,),
    "s3-setup": (S3Settings.load,),
    "postgres-setup": (
        PostgresServerSettings.load, *(lambda owner=owner: PostgresUserSettings.load_for(owner) for owner in OWNERS),
    ),
    "spark-master": SPARK,
    "spark-worker": SPARK,
    "spark-connect": (*SPARK, S3Settings.load),
    "spark-setup": (S3Settings.load, SparkSettings.load),
    "airflow-setup": (airflow,),
    "airflow-api": (airflow,),
    "airflow-scheduler": (airflow,),
    "airflow-dag-processor": (airflow, dag),
    "airflow-worker": (
        airflow, dag, kafka_as("report"), kafka_as("viewer"), RegistrySettings.load, SinkSettings.load,
        ClickHouseSettings.load, S3Settings.load, SparkSettings.load, ReportReaderSettings.load,
        ReportWriterSettings.load, ReportSettings.load,
    ),
    "report-api": (ReportApiSettings.load,),
    "dashboard": (ReportReaderSettings.load, DashboardSettings.load),
}  # fmt: skip
NOT_OURS = {"registry", "clickhouse", "postgres", "redis", "kafka-ui", "prometheus", "grafana"}
SAME_AS = {"kafka-2": "kafka", "kafka-3": "kafka"}
NEED_NOTHING = {"creds", "certs"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("env")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLICKPULSE_CREDS_DIR", str(folder))
        generate_credentials()
        derive_files()
        ensure_certificates()
        yield folder


def test_every_service_of_ours_is_looked_at() -> None:
    services = set(load_model(VARIANTS["every-profile"])["services"])
    assert services == NEEDED.keys() | NOT_OURS | SAME_AS.keys() | NEED_NOTHING


@pytest.fixture
def inside(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any], str], Service]:
    """Put this process into a container's place: its variables, and its secrets where Compose mounts them."""

    def enter(model: dict[str, Any], name: str) -> Service:
        service: Service = model["services"][name]
        secrets = tmp_path / "secrets"
        for given in service.get("secrets", ()):
            source = made / Path(model["secrets"][given["source"]]["file"]).relative_to(PROJECT_ROOT / "env")
            target = secrets / given["target"].removeprefix("/run/secrets/")
            if not given["target"].startswith("/run/secrets/") and "/" in given["target"]:
                continue  # of an image that isn't ours
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
        for variable, value in environment(service).items():
            monkeypatch.setenv(variable, value.replace("/run/secrets", str(secrets)))
        monkeypatch.setenv("CLICKPULSE_CREDS_DIR", str(secrets))
        monkeypatch.setenv("CLICKPULSE_ENV_DIR", str(PROJECT_ROOT / "env"))
        monkeypatch.setenv("CLICKPULSE_HOME", str(tmp_path / "home"))
        # What the images set.
        monkeypatch.setenv("KAFKA_BROKER_JARS", "/opt/kafka/jars")
        return service

    return enter


@pytest.mark.parametrize("variant", ["every-profile", "cluster", "tls"])
@pytest.mark.parametrize("name", NEEDED)
def test_its_settings_load(variant: str, name: str, inside: Callable[[dict[str, Any], str], Service]) -> None:
    inside(load_model(VARIANTS[variant]), name)
    for load in NEEDED[name]:
        load()


def test_the_embedded_sinks_settings_load(inside: Callable[[dict[str, Any], str], Service]) -> None:
    inside(load_model(VARIANTS["embedded-sink"]), "connect")
    for load in (kafka_as("sink"), RegistrySettings.load, ClickHouseSettings.load, SinkSettings.load):
        load()


@pytest.mark.parametrize("variant", ["submit", "everything-submitted"])
def test_a_worker_that_submits_has_what_the_driver_needs(
    variant: str, inside: Callable[[dict[str, Any], str], Service]
) -> None:
    inside(load_model(VARIANTS[variant]), "airflow-worker")
    for load in NEEDED["airflow-worker"]:
        load()
    spark, s3 = SparkSettings.load(), S3Settings.load()
    assert spark.mode == "submit"
    assert SparkSecrets.load().authenticate_secret
    trusted = [option for option in java_options(s3, ".") if "trustStore=" in option]
    assert bool(trusted) == (s3.endpoint.scheme == "https")
    with submission(spark, [Revision(MinuteWindow.parse("2026-11-22T10:05Z"), 0)]) as job:
        properties = Path(job.properties_file).read_text()
    assert "spark.master=spark://spark-master:7077" in properties
    assert f"spark.driver.host={socket.gethostname()}" in properties


@pytest.mark.parametrize("name", ["airflow-api", "airflow-scheduler", "airflow-dag-processor"])
def test_who_reads_the_dags_knows_the_mode(name: str, inside: Callable[[dict[str, Any], str], Service]) -> None:
    inside(load_model(VARIANTS["submit"]), name)
    assert SparkSettings.load().mode == "submit"


def test_tls_servers_find_their_certificates(inside: Callable[[dict[str, Any], str], Service]) -> None:
    model = load_model(VARIANTS["tls"])
    inside(model, "report-api")
    settings = ReportApiSettings.load()
    assert settings.tls_cert
    assert settings.tls_cert.is_file()
    assert settings.tls_key
    assert settings.tls_key.is_file()
    inside(model, "s3")
    server = S3ServerSettings.load(data_dir="/data", run_dir="/run")
    assert server.certificate
    assert server.certificate.is_file()
