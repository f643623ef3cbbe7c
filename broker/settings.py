"""Settings of a Kafka node; the defaults are one node that is broker and controller, for one machine."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from clickpulse.errors import ConfigurationError
from clickpulse.settings import ServiceSettings, certs_dir, home_dir


class BrokerSettings(ServiceSettings):
    """One node. Clients come to `host:port` (SASL_SSL, SCRAM-SHA-512), controllers to `host:controller_port` (TLS
    with certificates on both sides).
    """

    service = "kafka"
    model_config = SettingsConfigDict(env_prefix="KAFKA_BROKER_", extra="ignore", frozen=True)

    node_id: int = Field(1, ge=1)
    host: str = Field("127.0.0.1", description="the address to listen on")
    port: int = 9092
    controller_port: int = 9093
    advertised_host: str = Field("127.0.0.1", description="what clients and other nodes call this node")
    voters: str | None = Field(
        None, description="id@host:port of every controller, with commas; this node alone where not set"
    )
    cluster_id: str = Field(description="the same on every node; in kafka_cluster.creds")
    certificate: Path = Field(
        default_factory=lambda: certs_dir() / "kafka.pem", description="key, certificate and CA in one PEM file"
    )
    ca: Path = Field(default_factory=lambda: certs_dir() / "ca.crt")
    data_dir: Path = Field(default_factory=lambda: home_dir() / "data" / "kafka")
    run_dir: Path = Field(
        default_factory=lambda: home_dir() / "run", description="for the rendered configuration, which holds passwords"
    )
    java: str = Field("java", description="the Java runtime's program")
    jars: Path = Field(description="the folder with Kafka's jars")
    heap_mb: int = Field(384, ge=128)
    replicas: int = Field(1, ge=1, description="of Kafka's own topics (offsets, transactions)")

    @classmethod
    def load_node(cls) -> Self:
        """Read the settings with the cluster's id, and see that the certificate is there.

        Raises:
            ConfigurationError: a setting is missing, or there is no certificate.
        """
        settings = cls._read((cls.service, "kafka_cluster"), {})
        if not settings.certificate.is_file():
            raise ConfigurationError(
                f"KAFKA_BROKER_CERTIFICATE: there is no {settings.certificate}; `clickpulse certs` makes it"
            )
        return settings

    @model_validator(mode="after")
    def _own_vote(self) -> Self:
        voters = (self.voters or "").split(",")
        if self.voters and not any(voter.startswith(f"{self.node_id}@") for voter in voters):
            raise ValueError(f"KAFKA_BROKER_VOTERS {self.voters} lacks node {self.node_id}")
        return self

    @property
    def quorum(self) -> str:
        """`id@host:port` of every controller."""
        return self.voters or f"{self.node_id}@{self.advertised_host}:{self.controller_port}"
