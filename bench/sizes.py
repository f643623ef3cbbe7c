"""Bytes an event takes at each stage: what the sizing in docs/scaling.md multiplies."""

from __future__ import annotations

from collections.abc import Callable

from bench.bulk import Serialized, encoder_for, pregenerate, send
from bench.measurements import Figure
from bench.scratch import Scratch, scratch
from bench.stages import ALL_OFFSETS, RULES, manifest_of, own_bucket
from clickhouse.export import export_windows
from clickhouse.queries import load
from clickpulse.clients import clickhouse_client, s3_client
from clickpulse.objects import WindowObjects
from clickpulse.settings import KafkaSettings
from clickpulse.windows import MinuteWindow
from local.settings import data_dir

EVENTS = 600_000
_WINDOW = MinuteWindow.parse("2026-01-01T00:00Z")


def measure(say: Callable[[str], None]) -> list[Figure]:
    """Bytes per event in Kafka, ClickHouse and S3, of one minute of `EVENTS` simulated events."""
    with scratch() as own:
        say(f"sizes of {EVENTS:,} events")
        encoder = encoder_for(own.kafka)
        events = pregenerate(_WINDOW, EVENTS, encoder)
        send(own.kafka, encoder, events)
        kafka = _log_bytes(own.kafka)
        own.drain(len(events))
        sizes = {"Avro value with its header": _value_bytes(events), "Kafka log, full batches": kafka}
        sizes |= _stored_bytes(own)
    note = f"{len(events):,} events"
    return [Figure("sizes", name, size / len(events), "bytes/event", "", note) for name, size in sizes.items()]


def _value_bytes(events: list[Serialized]) -> int:
    return sum(len(event.value) for event in events)


def _log_bytes(kafka: KafkaSettings) -> int:
    """The segments of the topic on the disk of the local broker: keys, values, batch headers, compressed."""
    segments = (data_dir() / "kafka").glob(f"{kafka.topic}-*/*.log")
    return sum(segment.stat().st_size for segment in segments)


def _stored_bytes(own: Scratch) -> dict[str, int]:
    cutoff = dict.fromkeys(range(own.kafka.partitions), ALL_OFFSETS)
    objects = WindowObjects(_WINDOW)
    with own_bucket() as s3, clickhouse_client(own.clickhouse) as client:
        client.command("OPTIMIZE TABLE events FINAL")
        rows = client.query(load("column_sizes")).result_rows
        export_windows(client, s3, [manifest_of(objects, cutoff)], RULES)
        parquet = s3_client(s3).stat_object(s3.bucket, objects.events).size or 0
    compressed = {f"ClickHouse, {column}": int(size) for column, size, _raw in rows}
    total = {
        "ClickHouse, uncompressed": sum(int(raw) for _column, _size, raw in rows),
        "ClickHouse, merged": sum(compressed.values()),
    }
    return total | compressed | {"Parquet of the minute": int(parquet)}
