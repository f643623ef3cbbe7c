"""Settings, a class per service.

Where a value comes from, the first that has it: the process environment, the running local stack's
`stack.env` (its ports and paths), `<service>.creds` (secrets, never committed), `env/<service>.env`
(committed), the default here. Three variables say where those files are: `CLICKPULSE_HOME` (default
`.clickpulse` in the project), `CLICKPULSE_ENV_DIR` and `CLICKPULSE_CREDS_DIR` (both default to `env`).

No other module reads the environment.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import AnyHttpUrl, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from clickpulse.errors import ConfigurationError

PROJECT_ROOT = Path(__file__).resolve().parents[2]
"""The checkout, or the folder the files were copied to in an image."""


def home_dir() -> Path:
    """The state of the local profile: data, logs, downloads."""
    return Path(os.environ.get("CLICKPULSE_HOME") or PROJECT_ROOT / ".clickpulse").absolute()


def env_dir() -> Path:
    return Path(os.environ.get("CLICKPULSE_ENV_DIR") or PROJECT_ROOT / "env").absolute()


def creds_dir() -> Path:
    return Path(os.environ.get("CLICKPULSE_CREDS_DIR") or env_dir()).absolute()


def stack_env_file() -> Path:
    """Addresses and paths of the local stack that runs in `home_dir()`."""
    return home_dir() / "stack.env"


class ServiceSettings(BaseSettings):
    """Base of the settings classes; `load()` reads the files and explains what is missing."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)
    service: ClassVar[str]

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Read the settings; `ConfigurationError` names each variable that is missing or wrong."""
        files = (env_dir() / f"{cls.service}.env", creds_dir() / f"{cls.service}.creds", stack_env_file())
        try:
            return cls(_env_file=files, **overrides)
        except ValidationError as error:
            raise ConfigurationError(cls._explain(error)) from None

    @classmethod
    def _explain(cls, error: ValidationError) -> str:
        prefix = cls.model_config.get("env_prefix", "")
        problems = []
        for problem in error.errors(include_url=False):
            variable = prefix.upper() + "_".join(str(part) for part in problem["loc"]).upper()
            given = (
                "" if problem["type"] == "missing" or "password" in variable.lower() else f" (is {problem['input']!r})"
            )
            problems.append(f"{variable}: {problem['msg']}{given}")
        where = f"set it in the environment, env/{cls.service}.env or {creds_dir() / cls.service}.creds"
        return f"settings of {cls.service}: {'; '.join(problems)}; {where}"


class KafkaSettings(ServiceSettings):
    """Broker, security and topics."""

    service = "kafka"
    model_config = SettingsConfigDict(env_prefix="KAFKA_", extra="ignore", frozen=True)

    bootstrap_servers: str = "127.0.0.1:9092"
    security_protocol: Literal["PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    ssl_ca_location: Path | None = None
    topic: str = "user-interactions"
    dead_letter_topic: str = "user-interactions-dead-letters"
    partitions: int = Field(6, ge=1)
    replication_factor: int = Field(1, ge=1)
    retention_bytes: int = Field(2 * 1024**3, description="kept per partition; the age of an event does not delete it")

    def client_config(self) -> dict[str, Any]:
        """What every librdkafka client needs to reach the broker."""
        config: dict[str, Any] = {
            "bootstrap.servers": self.bootstrap_servers,
            "security.protocol": self.security_protocol,
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 1000,
            # librdkafka's own lines, one for each failed connection; what matters comes as an error.
            "log_level": 2,
        }
        if self.security_protocol == "SASL_SSL":
            if not (self.sasl_username and self.sasl_password and self.ssl_ca_location):
                raise ConfigurationError(
                    "KAFKA_SECURITY_PROTOCOL is SASL_SSL: "
                    "set KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD and KAFKA_SSL_CA_LOCATION"
                )
            config |= {
                "sasl.mechanism": "SCRAM-SHA-512",
                "sasl.username": self.sasl_username,
                "sasl.password": self.sasl_password.get_secret_value(),
                "ssl.ca.location": str(self.ssl_ca_location),
            }
        return config


class RegistrySettings(ServiceSettings):
    """Schema Registry with Confluent's API."""

    service = "registry"
    model_config = SettingsConfigDict(env_prefix="SCHEMA_REGISTRY_", extra="ignore", frozen=True)

    url: str = "http://127.0.0.1:8081/apis/ccompat/v7"
    compatibility: Literal["BACKWARD", "BACKWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"] = "BACKWARD"


class ClickHouseSettings(ServiceSettings):
    """ClickHouse over HTTP, embedded or a real server: only the address differs."""

    service = "clickhouse"
    model_config = SettingsConfigDict(env_prefix="CLICKHOUSE_", extra="ignore", frozen=True)

    url: AnyHttpUrl = AnyHttpUrl("http://127.0.0.1:8123")
    database: str = Field("clickpulse", pattern=r"^[a-z][a-z0-9_]*$")
    user: str = "clickpulse"
    password: SecretStr
    reader_user: str = "reader"
    reader_password: SecretStr
    event_ttl_days: int = Field(30, ge=1, description="days after arrival")
    registry_url: str | None = Field(
        None, description="Schema Registry as ClickHouse reaches it; SCHEMA_REGISTRY_URL where not set"
    )
    s3_endpoint: str | None = Field(None, description="S3 as ClickHouse reaches it; S3_ENDPOINT where not set")


class ClickHouseServerSettings(ServiceSettings):
    """The embedded ClickHouse (chdb behind the HTTP interface)."""

    service = "clickhouse"
    model_config = SettingsConfigDict(env_prefix="CLICKHOUSE_SERVER_", extra="ignore", frozen=True)

    host: str = "127.0.0.1"
    port: int = 8123
    data_dir: Path = Field(default_factory=lambda: home_dir() / "data" / "clickhouse")
    tmp_dir: Path | None = None
    max_memory_mb: int = 2048
    max_connections: int = 16
    fsync: bool = Field(False, description="fsync each insert: survives a power cut, at a price")


class S3Settings(ServiceSettings):
    """The bucket for minutes and reports."""

    service = "s3"
    model_config = SettingsConfigDict(env_prefix="S3_", extra="ignore", frozen=True)

    endpoint: AnyHttpUrl = AnyHttpUrl("http://127.0.0.1:9000")
    region: str = "us-east-1"
    bucket: str = "clickpulse"
    access_key: str
    secret_key: SecretStr


class SparkSettings(ServiceSettings):
    """How the report job reaches Spark."""

    service = "spark"
    model_config = SettingsConfigDict(env_prefix="SPARK_", extra="ignore", frozen=True)

    remote: str = "sc://127.0.0.1:15002"


class ReportSettings(ServiceSettings):
    """When a minute is reported and what it is compared with."""

    service = "report"
    model_config = SettingsConfigDict(env_prefix="REPORT_", extra="ignore", frozen=True)

    start: datetime = Field(
        default_factory=lambda: datetime.now(UTC).replace(second=0, microsecond=0),
        description="the first minute that gets a report; the local profile writes it at the first start",
    )
    idle_partition_seconds: float = Field(
        1.5, ge=0, description="how long a partition without anything newer than the minute is watched"
    )
    completeness_timeout_seconds: float = Field(
        120, gt=0, description="then the report is published, marked incomplete"
    )
    baseline_minutes: int = Field(60, ge=1, le=1440, description="the recent past that a minute is compared with")
    max_active_runs: int = Field(4, ge=1)

    @field_validator("start")
    @classmethod
    def _aware(cls, value: datetime) -> datetime:
        if value.tzinfo is None:
            raise ValueError("has no time zone: add Z for UTC")
        return value.astimezone(UTC)


class ReportApiSettings(ServiceSettings):
    """The report service, for itself and for those who call it."""

    service = "report_api"
    model_config = SettingsConfigDict(env_prefix="REPORT_API_", extra="ignore", frozen=True)

    url: AnyHttpUrl = AnyHttpUrl("http://127.0.0.1:8000")
    host: str = "127.0.0.1"
    port: int = 8000
    token: SecretStr
    database_url: SecretStr = Field(description="postgresql://user:password@host:port/database")
    pool_size: int = 8
    open_reads: bool = Field(True, description="reports can be read without a token; the service listens on loopback")


class ReportReaderSettings(ServiceSettings):
    """The report service for those who only read: no database, and a token only where reads need one."""

    service = "report_api"
    model_config = SettingsConfigDict(env_prefix="REPORT_API_", extra="ignore", frozen=True)

    url: AnyHttpUrl = AnyHttpUrl("http://127.0.0.1:8000")
    token: SecretStr | None = None


class SinkSettings(ServiceSettings):
    """The embedded sink from Kafka to ClickHouse."""

    service = "sink"
    model_config = SettingsConfigDict(env_prefix="SINK_", extra="ignore", frozen=True)

    group_id: str = "clickpulse-sink"
    instance_id: str | None = Field(
        None, description="static group membership: a restart takes its partitions back at once, even after a kill"
    )
    flush_rows: int = Field(
        50_000, ge=1, le=1_000_000, description="below ClickHouse's block size: an insert is all or nothing"
    )
    flush_bytes: int = Field(32 * 1024**2, ge=1024)
    flush_ms: int = Field(250, ge=1, le=250, description="at most this long after the first buffered message")
    stop_seconds: float = Field(8, gt=0, description="for the last flush at SIGTERM; what is left is read again")
    health_host: str = "127.0.0.1"
    health_port: int = 9101


class ProducerSettings(ServiceSettings):
    """Delivery of events to Kafka."""

    service = "producer"
    model_config = SettingsConfigDict(env_prefix="PRODUCER_", extra="ignore", frozen=True)

    linger_ms: int = Field(20, ge=0)
    compression: Literal["none", "lz4", "zstd", "snappy", "gzip"] = "lz4"
    delivery_timeout_ms: int = Field(300_000, ge=1000, description="an outage shorter than this loses nothing")
    max_buffered_events: int = Field(500_000, ge=1)
    max_event_bytes: int = Field(
        1_000_000, ge=1, description="a larger event is dead-lettered; the topic's own limit is above"
    )
    connect_timeout_seconds: float = Field(
        60, gt=0, description="how long Kafka and the registry are tried at the start"
    )


class DashboardSettings(ServiceSettings):
    """The Streamlit page."""

    service = "dashboard"
    model_config = SettingsConfigDict(env_prefix="DASHBOARD_", extra="ignore", frozen=True)

    host: str = "127.0.0.1"
    port: int = 8501
    refresh_seconds: float = Field(2, gt=0)
    stale_seconds: float = Field(90, gt=0, description="the newest minute's end may be this old before the page warns")
    sink_health_url: str = "http://127.0.0.1:9101"
    airflow_url: str = "http://127.0.0.1:8080"
