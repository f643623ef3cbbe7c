"""Settings of the report service itself; those of its clients are in `clickpulse.settings`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from pydantic import AliasChoices, AnyHttpUrl, Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from clickpulse.retention.settings import RetentionSettings
from clickpulse.settings import ServiceSettings, tokens_of


class ReportApiSettings(ServiceSettings):
    """Address, access, limits and database.

    A token variable may hold several, separated by commas: the service takes each of them, clients send the first.
    """

    service = "report_api"
    model_config = SettingsConfigDict(env_prefix="REPORT_API_", extra="ignore", frozen=True, populate_by_name=True)

    url: AnyHttpUrl = AnyHttpUrl("http://127.0.0.1:8000")
    host: str = "127.0.0.1"
    port: int = 8000
    tls_cert: Path | None = Field(None, description="PEM: the certificate, then those of its issuers; https where set")
    tls_key: Path | None = None

    write_token: SecretStr = Field(description="may post reports")
    read_token: SecretStr | None = Field(None, description="may read reports and metrics")
    admin_token: SecretStr | None = Field(None, description="may do everything, and withdraw reports")
    open_reads: bool = Field(True, description="reports can be read without a token; the service listens on loopback")
    open_metrics: bool = Field(True, description="so can /metrics")

    reads_per_minute: int = Field(600, ge=1, description="of each token, or client address where there is none")
    writes_per_minute: int = Field(300, ge=1)
    redis_url: SecretStr | None = Field(
        None, description="redis://[user@]host:port/number: where replicas count together; memory where not set"
    )
    redis_password: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("REPORT_API_REDIS_PASSWORD", "REDIS_PASSWORD"),
        description="where it is not in the URL; in redis_reports.creds",
    )
    trusted_proxies: str = Field(
        "", description="addresses or networks, separated by commas, whose X-Forwarded-For is believed"
    )
    max_streams: int = Field(64, ge=1, description="readers at once that are told of new reports")

    reports_retention_days: int = Field(
        400,
        ge=1,
        validation_alias="REPORT_REPORTS_RETENTION_DAYS",
        description="the same variable as that of the objects in S3, from env/report.env",
    )

    database_url: SecretStr = Field(description="postgresql://user:password@host:port/database")
    pool_size: int = 8

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Read the settings, with those of Redis, and how long reports are kept."""
        kept = {"reports_retention_days": RetentionSettings.load().reports_retention_days}
        return cls._read(("redis_reports", cls.service), kept | overrides)

    @field_validator("write_token", "read_token", "admin_token")
    @classmethod
    def _has_a_token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not tokens_of(value):
            raise ValueError("holds no token")
        return value
