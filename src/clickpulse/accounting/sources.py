"""Opens what an accounting asks, with the rights to read and no others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import httpx

from clickpulse.accounting.columns import minute_number
from clickpulse.accounting.dead import DeadLetters
from clickpulse.accounting.interfaces import Rules, Sources
from clickpulse.accounting.kafka import EventsTopic
from clickpulse.accounting.reports import StoredReports
from clickpulse.accounting.stored import StoredEvents
from clickpulse.accounting.wire import WireReader
from clickpulse.clients import clickhouse_client, report_reader, s3_client
from clickpulse.errors import TransientError
from clickpulse.settings import (
    ClickHouseSettings,
    KafkaSettings,
    RegistrySettings,
    ReportReaderSettings,
    ReportSettings,
    S3Settings,
    SinkSettings,
)
from clickpulse.windows import MinuteWindow
from connect.sink.schemas import SchemaCache

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_REGISTRY_SECONDS = 10


def rules() -> Rules:
    """From the settings."""
    return Rules(
        duplicate_minutes=ReportSettings.load().duplicate_minutes,
        kept_days=ClickHouseSettings.load().event_ttl_days,
        ahead_seconds=SinkSettings.load().max_future_seconds,
    )


@contextmanager
def open_sources(first: MinuteWindow) -> Iterator[Sources]:
    """The services of the settings, for a range that begins with `first`.

    Raises:
        ConfigurationError: a setting or a secret is missing.
        TransientError: ClickHouse does not answer.
    """
    kafka, sink = KafkaSettings.load_for("viewer"), SinkSettings.load()
    s3 = S3Settings.load()
    number = minute_number(first)
    with ExitStack() as opened:
        registry = opened.enter_context(
            httpx.Client(base_url=f"{RegistrySettings.load().url.rstrip('/')}/", timeout=10)
        )
        api = opened.enter_context(report_reader(ReportReaderSettings.load()))
        topic = EventsTopic(kafka, sink, WireReader(SchemaCache(registry).get))
        opened.callback(topic.close)
        letters = DeadLetters(kafka)
        opened.callback(letters.close)
        stored = opened.enter_context(_clickhouse())
        yield Sources(
            topic, StoredEvents(stored, number), StoredReports(api, s3_client(s3), s3.bucket, number), letters
        )


@contextmanager
def _clickhouse() -> Iterator[Client]:
    from clickhouse_connect.driver.exceptions import Error

    settings = ClickHouseSettings.load()
    try:
        client = clickhouse_client(settings, reader=True)
    except Error as error:
        raise TransientError(f"ClickHouse at {settings.url} does not answer: {error}") from error
    try:
        yield client
    finally:
        client.close()
