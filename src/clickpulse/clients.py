"""Clients of the services, made where a program starts and passed in; nothing connects on import.

The imports are inside the functions, as each service installs only the drivers it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clickpulse.settings import (
    ClickHouseSettings,
    KafkaSettings,
    RegistrySettings,
    ReportApiSettings,
    S3Settings,
    SparkSettings,
)

if TYPE_CHECKING:
    import httpx
    from clickhouse_connect.driver.client import Client as ClickHouseClient
    from confluent_kafka import Consumer, Producer
    from confluent_kafka.admin import AdminClient
    from confluent_kafka.schema_registry import SchemaRegistryClient
    from minio import Minio
    from pyspark.sql import SparkSession


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

    return clickhouse_connect.get_client(
        dsn=str(settings.url),
        username=settings.reader_user if reader else settings.user,
        password=(settings.reader_password if reader else settings.password).get_secret_value(),
        **{"database": settings.database, "autogenerate_session_id": False, **options},
    )


def s3_client(settings: S3Settings) -> Minio:
    from minio import Minio

    return Minio(
        f"{settings.endpoint.host}:{settings.endpoint.port}",
        access_key=settings.access_key,
        secret_key=settings.secret_key.get_secret_value(),
        secure=settings.endpoint.scheme == "https",
        region=settings.region,
    )


def spark_session(settings: SparkSettings) -> SparkSession:
    """A session on the warm Spark Connect server."""
    from pyspark.sql import SparkSession

    return SparkSession.builder.remote(settings.remote).getOrCreate()


def report_api_client(settings: ReportApiSettings) -> httpx.Client:
    """An HTTP client with the API's address and token; the caller closes it."""
    import httpx

    return httpx.Client(
        base_url=str(settings.url),
        headers={"Authorization": f"Bearer {settings.token.get_secret_value()}"},
        timeout=httpx.Timeout(10),
    )


def _dotted(config: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("_", "."): value for name, value in config.items()}
