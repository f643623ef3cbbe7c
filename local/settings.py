"""Settings of the local profile: ports, sizes and folders."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field
from pydantic_settings import SettingsConfigDict

from clickpulse.settings import ServiceSettings, certs_dir, home_dir

_SYSTEM_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")

HOST = "127.0.0.1"
"""Everything binds to the loopback interface."""


class LocalSettings(ServiceSettings):
    """Ports are TCP ports on 127.0.0.1; the first start keeps them in `stack.env`."""

    service = "local"
    model_config = SettingsConfigDict(env_prefix="LOCAL_", extra="ignore", frozen=True, populate_by_name=True)

    kafka_port: int = 9092
    kafka_controller_port: int = 9093
    registry_port: int = 8081
    registry_management_port: int = 9084
    clickhouse_port: int = 8123
    s3_port: int = 9000
    spark_port: int = 15002
    postgres_port: int = 5432
    airflow_port: int = 8080
    report_api_port: int = 8000
    dashboard_port: int = 8501
    sink_port: int = 9101
    connect_port: int = 8083

    sink: Literal["embedded", "connect"] = Field(
        "embedded",
        validation_alias=AliasChoices("SINK", "LOCAL_SINK"),
        description="what stores events: the embedded sink, or Kafka Connect with the official ClickHouse sink",
    )
    tls: bool = Field(False, description="https for the report API, the page, ClickHouse and S3, with the private CA")
    s3_gateway: Literal["versitygw", "rclone"] = "versitygw"
    traffic: bool = True
    traffic_rate: float = Field(20, gt=0, description="simulated events per second")
    kafka_heap_mb: int = 384
    registry_heap_mb: int = 256
    spark_heap_mb: int = 768
    min_memory_mb: int = Field(4096, description="memory that has to be available before the start")
    min_disk_mb: int = Field(4096, description="free disk that has to be there before the start")

    @property
    def scheme(self) -> str:
        return "https" if self.tls else "http"

    @property
    def ca_file(self) -> Path | None:
        """Whom clients trust where `tls` is on."""
        return certs_dir() / "ca.crt" if self.tls else None


SINK_SERVICES = {"embedded": "sink", "connect": "connect"}
"""Setting -> the service that stores events."""

PORT_FIELDS = {name: name.removesuffix("_port") for name in LocalSettings.model_fields if name.endswith("_port")}
"""Setting -> the service that binds it."""


def cache_dir() -> Path:
    """Downloads and builds, shared by all stacks of this user (`CLICKPULSE_CACHE`, default in XDG's cache folder)."""
    if given := os.environ.get("CLICKPULSE_CACHE"):
        return Path(given).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "clickpulse"


def data_dir() -> Path:
    return home_dir() / "data"


def log_dir() -> Path:
    return home_dir() / "logs"


def run_dir() -> Path:
    return home_dir() / "run"


def https_proxy() -> tuple[str, int] | None:
    """Host and port of the proxy for HTTPS that the environment names; Java does not look there by itself."""
    given = os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy")
    address = urlsplit(given) if given else None
    return (address.hostname, address.port or 443) if address and address.hostname else None


def certificate_bundle() -> Path | None:
    """The certificates that this machine trusts, as one PEM file: `SSL_CERT_FILE` or the system's."""
    candidates = (os.environ.get("SSL_CERT_FILE"), *_SYSTEM_BUNDLES)
    return next((Path(path) for path in candidates if path and Path(path).is_file()), None)
