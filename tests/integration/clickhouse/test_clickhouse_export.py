"""The export of a minute to a real S3 service."""

from __future__ import annotations

import io
import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from clickhouse_connect.driver.client import Client
from minio import Minio

from clickhouse.export import ExportRules, export_windows
from clickhouse.manifest import Manifest, fix_manifest
from clickpulse.clients import clickhouse_client, s3_client
from clickpulse.completeness import WindowCompleteness
from clickpulse.objects import WindowObjects
from clickpulse.settings import ClickHouseSettings, S3Settings
from clickpulse.windows import MinuteWindow

WINDOW = MinuteWindow.parse("2031-05-06T07:08Z")
COLUMNS = [
    "event_id", "user_id", "session_id", "event_type", "event_timestamp", "request_latency_ms", "status", "error_code",
    "product_id", "kafka_partition", "kafka_offset",
]  # fmt: skip
Row = list[Any]


@pytest.fixture
def s3(stack: Path) -> Iterator[S3Settings]:
    """A bucket of the test's own."""
    del stack
    settings = S3Settings.load(bucket=f"test-export-{uuid.uuid4().hex[:8]}")
    client = s3_client(settings)
    client.make_bucket(settings.bucket)
    yield settings
    for found in client.list_objects(settings.bucket, recursive=True):
        client.remove_object(settings.bucket, str(found.object_name))
    client.remove_bucket(settings.bucket)


@pytest.fixture
def bucket(s3: S3Settings) -> Minio:
    return s3_client(s3)


@pytest.fixture
def events_client(server: Any, client: Client, database: str) -> Iterator[Client]:
    del client
    assert server.migrate(CLICKHOUSE_DATABASE=database).returncode == 0
    with server.client(database=database) as own:
        yield own


def rows(count: int, *, seed: int = 5, minute: datetime = WINDOW.start) -> list[Row]:
    draw = random.Random(seed)
    return [
        [
            uuid.UUID(int=draw.getrandbits(128)), uuid.UUID(int=draw.getrandbits(128)), uuid.uuid4(),
            draw.choice(["SEARCH", "PAYMENT"]), minute + timedelta(milliseconds=draw.randrange(60_000)),
            draw.randrange(500), "SUCCESS", None, None, number % 3, number // 3,
        ]
        for number in range(count)
    ]  # fmt: skip


def insert(client: Client, events: list[Row]) -> None:
    client.insert("events", events, column_names=COLUMNS)


def export_window(
    client: Client, s3: S3Settings, objects: WindowObjects, cutoff: dict[int, int], *, baseline_minutes: int = 60
) -> None:
    export_windows(client, s3, [manifest(objects, cutoff)], ExportRules(baseline_minutes, duplicate_minutes=60))


def manifest(objects: WindowObjects, cutoff: dict[int, int]) -> Manifest:
    return Manifest.of(objects, found(cutoff))


def content(bucket: Minio, s3: S3Settings, key: str) -> bytes:
    with bucket.get_object(s3.bucket, key) as answer:
        return bytes(answer.read())


def table(body: bytes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(io.BytesIO(body)).to_pylist()
    return found


def test_each_event_once_below_the_cutoff(events_client: Client, s3: S3Settings, bucket: Minio) -> None:
    events = rows(900)
    late_copies = [[*row[:9], row[9], row[10] + 1000] for row in events[:100]]
    outside = rows(10, seed=6, minute=WINDOW.end) + rows(10, seed=7, minute=WINDOW.previous.start)
    insert(events_client, late_copies + events[:450])
    insert(events_client, events[450:] + events[:50] + outside)
    cutoff = {0: 100, 1: 2000, 2: 250}
    objects = WindowObjects(WINDOW, 3)
    export_window(events_client, s3, objects, cutoff)
    expected = {row[0]: row for row in events if row[10] < cutoff[row[9]]}
    exported = table(content(bucket, s3, objects.events))
    assert len(exported) == len(expected) > 300
    assert list(exported[0]) == COLUMNS
    for row in exported:
        event = expected[row["event_id"]]
        assert (row["user_id"], row["kafka_partition"], row["kafka_offset"]) == (event[1], event[9], event[10])
        assert row["event_timestamp"] == event[4]
        assert (row["event_type"], row["status"], row["error_code"]) == (event[3], event[6], None)


def test_a_partition_without_cutoff_is_left_out(events_client: Client, s3: S3Settings, bucket: Minio) -> None:
    insert(events_client, rows(30))
    for revision, (cutoff, count) in enumerate([({1: 5}, 5), ({}, 0)]):
        objects = WindowObjects(WINDOW, revision)
        export_window(events_client, s3, objects, cutoff)
        assert len(table(content(bucket, s3, objects.events))) == count


def test_again_gives_the_same_bytes_whatever_arrived_since(
    events_client: Client, s3: S3Settings, bucket: Minio
) -> None:
    insert(events_client, rows(5000))
    insert(events_client, rows(40, seed=8, minute=WINDOW.previous.start))
    objects, cutoff = WindowObjects(WINDOW), dict.fromkeys(range(3), 1500)
    export_window(events_client, s3, objects, cutoff, baseline_minutes=60)
    before = [content(bucket, s3, key) for key in (objects.events, objects.baseline)]
    insert(events_client, [[*row[:10], row[10] + 1500] for row in rows(700, seed=9)])
    insert(events_client, [[*row[:10], row[10] + 2000] for row in rows(5000)])
    insert(events_client, rows(40, seed=10, minute=WINDOW.previous.start))
    events_client.command("OPTIMIZE TABLE events FINAL")
    export_window(events_client, s3, objects, cutoff, baseline_minutes=60)
    assert [content(bucket, s3, key) for key in (objects.events, objects.baseline)] == before


def test_a_minute_without_events_is_a_file_without_rows(events_client: Client, s3: S3Settings, bucket: Minio) -> None:
    objects = WindowObjects(WINDOW)
    export_window(events_client, s3, objects, {0: 10})
    for key in (objects.events, objects.baseline):
        assert table(content(bucket, s3, key)) == []
    assert pq.read_schema(io.BytesIO(content(bucket, s3, objects.events))).names == COLUMNS


def test_the_baseline_covers_its_minutes(events_client: Client, s3: S3Settings, bucket: Minio) -> None:
    for ago in (1, 2, 60, 61):
        insert(events_client, rows(ago, seed=ago, minute=WINDOW.start - timedelta(minutes=ago)))
    insert(events_client, rows(7))
    objects = WindowObjects(WINDOW)
    export_window(events_client, s3, objects, {}, baseline_minutes=60)
    counted: dict[datetime, int] = {}
    for row in table(content(bucket, s3, objects.baseline)):
        assert row["minute"].tzinfo is not None
        counted[row["minute"].astimezone(UTC)] = counted.get(row["minute"].astimezone(UTC), 0) + int(row["events"])
        assert 0 <= row["latency_p50_ms"] <= row["latency_p95_ms"] <= 500
    assert counted == {WINDOW.start - timedelta(minutes=ago): ago for ago in (1, 2, 60)}


def test_the_keys_of_s3_stay_out_of_the_log(server: Any, events_client: Client, s3: S3Settings) -> None:
    export_window(events_client, s3, WindowObjects(WINDOW), {0: 1}, baseline_minutes=1)
    wrong = s3.model_copy(update={"bucket": "no-such-bucket-anywhere"})
    with pytest.raises(Exception, match="export of 2031-05-06T07:08Z") as caught:
        export_window(events_client, wrong, WindowObjects(WINDOW), {0: 1}, baseline_minutes=1)
    for text in (server.log.read_text(), str(caught.value)):
        assert s3.secret_key.get_secret_value() not in text
        assert s3.access_key not in text


def found(cutoff: dict[int, int], *, complete: bool = True) -> WindowCompleteness:
    return WindowCompleteness(complete, "complete" if complete else "slow", cutoff, cutoff, cutoff, 0.5)


def test_the_first_manifest_counts(s3: S3Settings) -> None:
    objects = WindowObjects(WINDOW, 1)
    first = fix_manifest(s3, manifest(objects, {0: 10, 1: 20}))
    assert first.cutoff == {0: 10, 1: 20}
    again = fix_manifest(s3, Manifest.of(objects, found({0: 99, 1: 99}, complete=False), "another reason"))
    assert again == first
    assert fix_manifest(s3, manifest(WindowObjects(WINDOW, 2), {0: 99})).cutoff == {0: 99}


def test_a_bucket_that_is_missing(events_client: Client, s3: S3Settings) -> None:
    del events_client
    with pytest.raises(Exception, match="no-such-bucket"):
        fix_manifest(
            s3.model_copy(update={"bucket": "no-such-bucket-anywhere"}), manifest(WindowObjects(WINDOW), {0: 1})
        )


def test_the_stack_is_migrated(stack: Path) -> None:
    del stack
    with clickhouse_client(ClickHouseSettings.load(), reader=True) as client:
        tables = {row[0] for row in client.query("SHOW TABLES").result_rows}
    assert {
        "events",
        "minute_aggregates",
        "revision_cutoffs",
        "late_ledger",
        "sink_positions",
        "schema_migrations",
    } <= tables


def minute(ago: int) -> MinuteWindow:
    return MinuteWindow(WINDOW.start - timedelta(minutes=ago))


def test_many_minutes_are_each_one_alone(events_client: Client, s3: S3Settings, bucket: Minio) -> None:
    """Three queries for five minutes, two cutoffs and an empty minute: the same bytes as one by one."""
    for ago in range(4):
        insert(events_client, rows(300, seed=20 + ago, minute=minute(ago).start))
    cutoffs = [{0: 50, 1: 50, 2: 50}, {0: 90, 1: 90, 2: 90}, {0: 50, 1: 50, 2: 50}, {0: 90, 1: 90, 2: 90}, {0: 7}]
    revisions = [manifest(WindowObjects(minute(ago)), cutoff) for ago, cutoff in enumerate(cutoffs)]
    export_windows(events_client, s3, revisions, ExportRules(60, 60))
    together = [content(bucket, s3, one.objects.events) for one in revisions]
    assert [len(table(body)) for body in together] == [150, 270, 150, 270, 0]
    baselines = [table(content(bucket, s3, one.objects.baseline)) for one in revisions]
    assert [len({row["minute"] for row in baseline}) for baseline in baselines] == [3, 2, 1, 0, 0]
    assert sum(int(row["events"]) for row in baselines[0]) == 270 + 150 + 270
    for one, body in zip(revisions, together, strict=True):
        export_windows(events_client, s3, [one], ExportRules(60, 60))
        assert content(bucket, s3, one.objects.events) == body


def test_an_event_counts_in_the_minute_where_it_arrived_first(
    events_client: Client, s3: S3Settings, bucket: Minio
) -> None:
    event = rows(1)[0]
    other_minute = [[*event[:4], event[4] - timedelta(minutes=7), *event[5:10], event[10] + 50]]
    far_away = [[*event[:4], event[4] - timedelta(minutes=200), *event[5:10], event[10] + 60]]
    insert(events_client, [event])
    insert(events_client, other_minute + far_away)
    insert(events_client, rows(5, seed=6, minute=minute(7).start))
    revisions = [manifest(WindowObjects(minute(ago)), {0: 1000, 1: 1000, 2: 1000}) for ago in (0, 7, 200)]
    counts = []
    for one in revisions:
        export_windows(events_client, s3, [one], ExportRules(60, 60))
        counts.append(len(table(content(bucket, s3, one.objects.events))))
    assert counts == [1, 5, 1]


def test_aggregates_count_each_event_once_and_follow_the_revisions(
    events_client: Client, s3: S3Settings, bucket: Minio
) -> None:
    """Of a minute that was exported, and of one that was not."""
    before = minute(1)
    insert(events_client, rows(60, seed=30, minute=before.start))
    insert(events_client, [[*row[:10], row[10] + 500] for row in rows(60, seed=30, minute=before.start)])
    insert(events_client, [[*row[:10], row[10] + 500] for row in rows(9, seed=31, minute=before.start)])

    def past(revision: int) -> int:
        objects = WindowObjects(WINDOW, revision)
        export_window(events_client, s3, objects, {})
        return sum(int(row["events"]) for row in table(content(bucket, s3, objects.baseline)))

    assert past(0) == 69
    export_window(events_client, s3, WindowObjects(before), dict.fromkeys(range(3), 500))
    assert past(1) == 60
    export_window(events_client, s3, WindowObjects(before, 1), dict.fromkeys(range(3), 1000))
    assert past(2) == 69
