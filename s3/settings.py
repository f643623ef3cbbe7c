"""Settings of the MinIO server; the keys are those of `S3Settings`."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from clickpulse.settings import ServiceSettings


class S3ServerSettings(ServiceSettings):
    """One MinIO process over one folder. TLS where a certificate and its key are given."""

    service = "s3"
    model_config = SettingsConfigDict(env_prefix="S3_SERVER_", extra="ignore", frozen=True)

    program: Path = Field(Path("/opt/minio/minio"), description="the MinIO binary")
    host: str = "127.0.0.1"
    port: int = 9000
    data_dir: Path
    run_dir: Path = Field(description="for the folder in which MinIO looks for its certificate")
    certificate: Path | None = Field(None, description="PEM: the server's certificate, then its CA's")
    key: Path | None = Field(None, description="PEM: the certificate's key")
    ca: Path | None = Field(None, description="PEM: a private CA that the server itself trusts")

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("S3_SERVER_CERTIFICATE and S3_SERVER_KEY belong together: give both, or none for no TLS")
        return self
