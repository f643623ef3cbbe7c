"""The connector's configuration, from the settings: topic `user-interactions` to table `events`, row by row what the
embedded sink stores.

Three of its values guard what the sink promises:

- `errors.tolerance=all` dead-letters what can't be converted. The connector reads the same key and dead-letters its
  whole insert on any ClickHouse error that it doesn't know as passing. Only its older client (`client_version` V1)
  names a refused or broken connection by such a code; with V2 every outage would dead-letter good events.
- No internal buffer (`bufferCount`): a failed flush is retried by Connect with the same records, and the buffer would
  take them again each time. Inserts get their size from the consumer's fetches instead.
- Schemas come through the worker's own door (see `connect.schemas`), are kept for good, and a lookup is repeated until
  it is answered: a registry that doesn't answer pauses the task.
"""

from __future__ import annotations

from clickpulse.dead_letters import DEAD_LETTER_MAX_BYTES, connect_topic
from clickpulse.settings import ClickHouseSettings, ConnectSettings, KafkaSettings, SinkSettings
from connect import secret_files

_FOR_GOOD_MS = 10 * 365 * 24 * 3600 * 1000
"""The content behind an id never changes."""
_WITHOUT_END = 2**31 - 1


def connector_config(
    connect: ConnectSettings, kafka: KafkaSettings, clickhouse: ClickHouseSettings, sink: SinkSettings
) -> dict[str, str]:
    """What `PUT /connectors/<name>/config` takes."""
    return {
        "connector.class": "com.clickhouse.kafka.connect.ClickHouseSinkConnector",
        "tasks.max": str(connect.tasks_max),
        "topics": kafka.topic,
        **_clickhouse(kafka, clickhouse),
        **_conversion(sink),
        **_transforms(),
        **_dead_letters(kafka),
        **_consumer(connect, sink),
    }


def _clickhouse(kafka: KafkaSettings, clickhouse: ClickHouseSettings) -> dict[str, str]:
    tls = clickhouse.url.scheme == "https"
    return {
        "hostname": clickhouse.url.host or "",
        "port": str(clickhouse.url.port or (8443 if tls else 8123)),
        "ssl": str(tls).lower(),
        "database": clickhouse.database,
        "username": clickhouse.user,
        "password": secret_files.reference(secret_files.CLICKHOUSE, "CLICKHOUSE_PASSWORD"),
        "topic2TableMap": f"{kafka.topic}=events",
        "client_version": "V1",
        "exactlyOnce": "false",
        # One insert for what was fetched, not one for each partition of it.
        "ignorePartitionsWhenBatching": "true",
    }


def _conversion(sink: SinkSettings) -> dict[str, str]:
    apicurio = {
        "url": f"http://127.0.0.1:{sink.health_port}/apis/registry/v2",
        "as-confluent": "true",
        "use-id": "contentId",
        "check-period-ms": str(_FOR_GOOD_MS),
        "retry-count": str(_WITHOUT_END),
        "retry-backoff-ms": "500",
    }
    return {
        "key.converter": "org.apache.kafka.connect.converters.ByteArrayConverter",
        "value.converter": "io.apicurio.registry.utils.converter.AvroConverter",
        **{f"value.converter.apicurio.registry.{name}": value for name, value in apicurio.items()},
    }


def _transforms() -> dict[str, str]:
    kafka = "org.apache.kafka.connect.transforms"
    return {
        "transforms": "refuseEmpty,origin",
        # A message without a value fails here and is dead-lettered; the connector would pass over it in silence.
        "transforms.refuseEmpty.type": f"{kafka}.ValueToKey",
        "transforms.refuseEmpty.fields": "event_id",
        "transforms.refuseEmpty.predicate": "empty",
        "predicates": "empty",
        "predicates.empty.type": f"{kafka}.predicates.RecordIsTombstone",
        "transforms.origin.type": f"{kafka}.InsertField$Value",
        "transforms.origin.partition.field": "kafka_partition!",
        "transforms.origin.offset.field": "kafka_offset!",
    }


def _dead_letters(kafka: KafkaSettings) -> dict[str, str]:
    """In Connect's own form, to a topic that the worker's process brings them into the dead-letter topic from."""
    return {
        "errors.tolerance": "all",
        "errors.retry.timeout": str(_FOR_GOOD_MS),
        "errors.deadletterqueue.topic.name": connect_topic(kafka.dead_letter_topic),
        # A letter is larger than its message, and Connect goes on without one that is too large for its producer.
        "producer.override.max.request.size": str(DEAD_LETTER_MAX_BYTES),
        "errors.deadletterqueue.topic.replication.factor": str(kafka.replication_factor),
        "errors.deadletterqueue.context.headers.enable": "true",
        "errors.log.enable": "true",
        "errors.log.include.messages": "false",
    }


def _consumer(connect: ConnectSettings, sink: SinkSettings) -> dict[str, str]:
    settings = {
        # The embedded sink's group: completeness is read from it, and either sink goes on where the other stopped.
        "group.id": sink.group_id,
        "auto.offset.reset": "earliest",
        "max.poll.records": str(connect.insert_rows),
        "fetch.min.bytes": str(connect.fetch_min_bytes),
        "fetch.max.wait.ms": str(connect.fetch_wait_ms),
        "max.partition.fetch.bytes": str(connect.fetch_min_bytes),
        "fetch.max.bytes": str(4 * connect.fetch_min_bytes),
        "heartbeat.interval.ms": "2000",
        # A lookup of a schema may wait for the registry in between.
        "max.poll.interval.ms": "900000",
    }
    if connect.tasks_max == 1 and sink.instance_id:
        # As the embedded sink: a restart takes its partitions back at once, even after a kill.
        settings |= {"group.instance.id": sink.instance_id, "session.timeout.ms": "45000"}
    else:
        settings["session.timeout.ms"] = "10000"
    return {f"consumer.override.{name}": value for name, value in settings.items()}
