"""Clients of the services, made where a program starts and passed in; nothing connects on import.

The imports are inside the functions, as each service installs only the drivers it needs.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from clickpulse.settings import (
    ClickHouseSettings,
    KafkaSettings,
    RegistrySettings,
    ReportReaderSettings,
    ReportWriterSettings,
    S3Settings,
    SparkSettings,
    tokens_of,
)
from clickpulse.tls import client_context

if TYPE_CHECKING:
    import httpx
    from clickhouse_connect.driver.client import Client as ClickHouseClient
    from confluent_kafka import Consumer, Producer
    from confluent_kafka.admin import AdminClient
    from confluent_kafka.schema_registry import SchemaRegistryClient
    from minio import Minio
    from pyspark.sql import SparkSession
    from urllib3 import PoolManager


def kafka_producer(settings: KafkaSettings, **config: Any) -> Producer:
    """A librdkafka producer; `config` are librdkafka's names with `_` for `.`."""
    from confluent_kafka import Producer

    return Producer(settings.client_config() | _dotted(config))


def kafka_consumer(settings: KafkaSettings, **config: Any) -> Consumer:
    """A librdkafka consumer that commits only when told to."""
    from confluent_kafka import Consumer

    return Consumer(settings.client_config() | {"enable.auto.commit": False} | _dotted(config))


def kafka_admin(settings: KafkaSettings) -> AdminClient:
    from confluent_kafka.admin import AdminClient

    return AdminClient(settings.client_config())


def registry_client(settings: RegistrySettings) -> SchemaRegistryClient:
    from confluent_kafka.schema_registry import SchemaRegistryClient

    return SchemaRegistryClient({"url": settings.url})


def clickhouse_client(settings: ClickHouseSettings, *, reader: bool = False, **options: Any) -> ClickHouseClient:
    """A client on the settings' database, as the writing or the read-only user. Connects at once."""
    import clickhouse_connect

    if settings.ca_file:
        client_context(settings.ca_file)  # says what is wrong with the file, where the driver's message doesn't
        options = {"ca_cert": str(settings.ca_file), **options}
    return clickhouse_connect.get_client(
        dsn=str(settings.url),
        interface=settings.url.scheme,  # which the driver does not take from the address
        username=settings.reader_user if reader else settings.user,
        password=(settings.reader_password if reader else settings.password).get_secret_value(),
        **{"database": settings.database, "autogenerate_session_id": False, **options},
    )


def s3_client(settings: S3Settings, *, seconds: float | None = None) -> Minio:
    """A client of S3; `seconds` is for an answer that comes at once or not at all, without it minio is patient.

    Of a patient one there is one for the same settings in a process, with the connections that it keeps.
    """
    return _s3_client(settings, seconds) if seconds is not None else _shared_s3_client(settings, os.getpid())


@lru_cache(maxsize=8)
def _shared_s3_client(settings: S3Settings, _process: int) -> Minio:
    return _s3_client(settings, None)


def _s3_client(settings: S3Settings, seconds: float | None) -> Minio:
    from minio import Minio

    return Minio(
        f"{settings.endpoint.host}:{settings.endpoint.port}",
        access_key=settings.access_key,
        secret_key=settings.secret_key.get_secret_value(),
        secure=settings.endpoint.scheme == "https",
        region=settings.region,
        http_client=_pool(settings.ca_file, seconds) if settings.ca_file or seconds is not None else None,
    )


def _pool(ca_file: Path | None, seconds: float | None) -> PoolManager:
    """Connections as minio makes them itself, but for whom they trust, and how long and often they try."""
    from urllib3 import PoolManager, Retry, Timeout

    limit = 300 if seconds is None else seconds
    patient = Retry(total=5, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504])
    return PoolManager(
        timeout=Timeout(connect=limit, read=limit),
        maxsize=10,
        ssl_context=client_context(ca_file),
        retries=patient if seconds is None else False,
    )


def spark_session(settings: SparkSettings) -> SparkSession:
    """A session on the warm Spark Connect server."""
    from pyspark.sql import SparkSession

    return SparkSession.builder.remote(settings.connect_url).getOrCreate()


def report_reader(settings: ReportReaderSettings, *, seconds: float = 10, connect_seconds: float = 10) -> httpx.Client:
    """An HTTP client with the report API's address and, where there is one, the token to read; the caller closes it."""
    return _report_api(str(settings.url), settings.read_token, settings.ca_file, seconds, connect_seconds)


def report_writer(settings: ReportWriterSettings) -> httpx.Client:
    """An HTTP client with the report API's address and the token to post reports; the caller closes it."""
    return _report_api(str(settings.url), settings.write_token, settings.ca_file, 10, 10)


def _report_api(
    url: str, tokens: SecretStr | None, ca_file: Path | None, seconds: float, connect_seconds: float
) -> httpx.Client:
    import httpx

    return httpx.Client(
        base_url=url,
        headers={"Authorization": f"Bearer {tokens_of(tokens)[0]}"} if tokens else {},
        timeout=httpx.Timeout(seconds, connect=connect_seconds),
        verify=client_context(ca_file),
        mounts=dict.fromkeys(("all://127.0.0.1", "all://localhost")),  # not through the environment's proxy
    )


def _dotted(config: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("_", "."): value for name, value in config.items()}
