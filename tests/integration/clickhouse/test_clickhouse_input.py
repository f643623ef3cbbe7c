"""The sink's insert: Avro bodies through input(), in order, all or nothing."""

from __future__ import annotations

import random
import statistics
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from clickhouse.queries import load

START = datetime(2026, 11, 22, 10, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
ToWire = Callable[[list[dict[str, Any]]], list[bytes]]


def events(count: int, seed: int = 1) -> list[dict[str, Any]]:
    draw = random.Random(seed)
    return [
        {
            "event_id": str(uuid.UUID(int=draw.getrandbits(128))),
            "user_id": str(uuid.UUID(int=draw.getrandbits(128))),
            "session_id": str(uuid.UUID(int=draw.getrandbits(128))),
            "event_type": draw.choice(["SEARCH", "PAYMENT", "VIEW_PRODUCT"]),
            "event_timestamp": START + timedelta(milliseconds=number % 60_000),
            "request_latency_ms": number,
            "status": "SUCCESS" if number % 10 else "ERROR",
            "error_code": None if number % 10 else 503,
            "product_id": None,
        }
        for number in range(count)
    ]


@pytest.fixture
def events_client(server: Any, client: Client, database: str) -> Iterator[Client]:
    """A client on a migrated database of its own."""
    del client
    migrated = server.migrate(CLICKHOUSE_DATABASE=database)
    assert migrated.returncode == 0, migrated.stderr
    with server.client(database=database) as own:
        yield own


def insert(
    client: Client, registry: str, body: bytes, runs: list[tuple[int, int, int]], latest: datetime = START + HOUR
) -> None:
    starts, partitions, offsets = (list(column) for column in zip(*runs, strict=True))
    client.command(
        load("insert_events"),
        parameters={
            "starts": starts,
            "partitions": partitions,
            "offsets": offsets,
            "latest_ms": round(latest.timestamp() * 1000),
        },
        data=body,
        settings={"format_avro_schema_registry_url": registry},
    )


def test_rows_keep_the_order_of_the_body(events_client: Client, registry: str, to_wire: ToWire) -> None:
    some = to_wire(events(20_000))
    runs = [(0, 0, 1_000_000), (70_000, 3, 5), (150_001, 5, 2**40)]
    insert(events_client, registry, b"".join(some * 10), runs)
    found = events_client.query(
        "SELECT kafka_partition, min(kafka_offset), max(kafka_offset), count(), uniqExact(kafka_offset) FROM events"
        " GROUP BY 1 ORDER BY 1"
    ).result_rows
    assert found == [
        (0, 1_000_000, 1_069_999, 70_000, 70_000),
        (3, 5, 80_005, 80_001, 80_001),
        (5, 2**40, 2**40 + 49_998, 49_999, 49_999),
    ]
    # request_latency_ms is the row's number in the body, modulo the events that were repeated.
    wrong = events_client.command(
        "SELECT countIf((kafka_offset + multiIf(kafka_partition = 0, -1000000, kafka_partition = 3, 69995,"
        " 150001 - toInt64(exp2(40)))) % 20000 != request_latency_ms) FROM events"
    )
    assert wrong == 0
    assert dict(events_client.query(load("sink_positions")).result_rows) == {0: 1_069_999, 3: 80_005, 5: 2**40 + 49_998}
    parts = "SELECT count() FROM system.parts WHERE table = 'events' AND database = currentDatabase() AND level = 0"
    assert events_client.command(parts) == 1


def test_values_arrive_as_they_were_sent(events_client: Client, registry: str, to_wire: ToWire) -> None:
    sent = events(50)
    insert(events_client, registry, b"".join(to_wire(sent)), [(0, 1, 0)])
    found = events_client.query("SELECT * FROM events ORDER BY kafka_offset").named_results()
    for event, row in zip(sent, found, strict=True):
        texts = {name: str(row[name]) for name in ("event_id", "user_id", "session_id")}
        moment = row["event_timestamp"].replace(tzinfo=UTC)
        assert {name: row[name] for name in event} | texts | {"event_timestamp": moment} == event


@pytest.mark.parametrize(
    "bad",
    [
        (b"\x01 not the wire format", {117}),
        (b"\x00\x00\x00\x00\x07" + b"\xff" * 20, {117, 1001}),
        (b"\x00\x00\x00\x00\x07" + b"\x02", {117, 1001, 6, 376, 33, 32}),
        (b"\x00\x00\x00\x00\x63" + b"\x02", {86}),
    ],
)
@pytest.mark.parametrize("position", [0, 500, 1000])
def test_one_malformed_message_rejects_its_body(
    events_client: Client, registry: str, to_wire: ToWire, bad: tuple[bytes, set[int]], position: int
) -> None:
    good = to_wire(events(1000))
    message, codes = bad
    with pytest.raises(DatabaseError) as caught:
        insert(events_client, registry, b"".join([*good[:position], message, *good[position:]]), [(0, 0, 0)])
    assert caught.value.code in codes
    assert events_client.command("SELECT count() FROM events") == 0
    assert events_client.query("SELECT * FROM sink_positions").result_rows == []


def test_one_event_too_far_ahead_rejects_its_body(events_client: Client, registry: str, to_wire: ToWire) -> None:
    sent = events(1000)
    newest = max(event["event_timestamp"] for event in sent)
    body = b"".join(to_wire(sent))
    with pytest.raises(DatabaseError) as caught:
        insert(events_client, registry, body, [(0, 0, 0)], newest - timedelta(milliseconds=1))
    assert caught.value.code == 395
    assert "too far ahead of the clock" in str(caught.value)
    assert events_client.command("SELECT count() FROM events") == 0
    insert(events_client, registry, body, [(0, 0, 0)], newest)
    assert events_client.command("SELECT count() FROM events") == 1000


def test_a_registry_that_is_down_stores_nothing(events_client: Client, to_wire: ToWire) -> None:
    with pytest.raises(DatabaseError) as caught:
        insert(events_client, "http://127.0.0.1:9", b"".join(to_wire(events(10))), [(0, 0, 0)])
    assert caught.value.code in (210, 86, 1000)
    assert events_client.command("SELECT count() FROM events") == 0


def test_input_in_a_session_and_with_other_formats(server: Any, events_client: Client) -> None:
    events_client.command("CREATE TABLE plain (a Int64, b String) ENGINE = MergeTree ORDER BY a")
    sql = (
        "INSERT INTO plain SELECT a * {k:Int8}, upper(b) FROM input('a Int64, b String') WHERE a > 1 FORMAT CSV\n"
        "1,x\n2,y\n"
    )
    for session in ({}, {"session_id": "input"}, {"session_id": "input"}):
        answer = server.post(sql, database=events_client.database, param_k="3", **session)
        assert answer.status_code == 200, answer.text
    assert events_client.query("SELECT * FROM plain").result_rows == [(6, "Y")] * 3


def test_the_aggregates_agree_with_the_events(events_client: Client, registry: str, to_wire: ToWire) -> None:
    sent = events(3000)
    insert(events_client, registry, b"".join(to_wire(sent)), [(0, 0, 0)])
    insert(events_client, registry, b"".join(to_wire(sent)), [(0, 0, 3000)])  # copies: each counts once
    window = {"from": START, "to": START + timedelta(minutes=1)}
    events_client.command(load("aggregate_missing"), parameters=window)
    found = events_client.query(load("recent_minutes"), parameters=window).named_results()
    by_type = {row["event_type"]: row for row in found}
    for name in {event["event_type"] for event in sent}:
        own = [event for event in sent if event["event_type"] == name]
        errors = sum(event["status"] == "ERROR" for event in own)
        assert (by_type[name]["events"], by_type[name]["errors"]) == (len(own), errors)
        latencies = sorted(event["request_latency_ms"] for event in own)
        assert by_type[name]["latency_max_ms"] == latencies[-1]
        assert by_type[name]["latency_p50_p90_p95_p99_ms"][0] == statistics.median(latencies)
    exact = events_client.query(load("minute_by_type"), parameters={"window_start": START}).named_results()
    assert {row["event_type"]: row["events"] for row in exact} == {name: row["events"] for name, row in by_type.items()}
