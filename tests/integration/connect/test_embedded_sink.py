"""The embedded sink as a process, against real Kafka, registry and ClickHouse."""

from __future__ import annotations

import random
import socket
import threading
import time
from datetime import datetime
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient

from clickpulse.dead_letters import COMPONENT, ERROR_CLASS, OFFSET, PARTITION, REASON, TIMESTAMP, TOPIC

pytestmark = pytest.mark.timeout(240)

KILLS = 5
RATE = 1500.0


def test_killed_at_any_moment_it_loses_nothing_and_stores_nothing_twice(world: Any, traffic: Any) -> None:
    with traffic(world, RATE) as sent:
        for _ in range(KILLS):
            sink = world.start_sink()
            sink.wait_ready()
            time.sleep(random.uniform(0.05, 1.2))  # the moment is the point: anywhere in a flush
            sink.kill()
    sink = world.start_sink()
    sink.wait_ready()
    world.wait_caught_up(sink)
    expected = world.in_kafka()
    assert world.in_clickhouse() == expected
    assert sorted(sent.acknowledged) == [event_id for event_id, _, _ in expected]
    assert len(expected) > RATE


def test_sigterm_flushes_commits_and_leaves(world: Any) -> None:
    sink = world.start_sink(SINK_INSTANCE_ID="", SINK_FLUSH_MS="250")
    sink.wait_ready()
    world.produce([world.wire(world.event()) for _ in range(2000)])
    began = time.monotonic()
    assert sink.stop() == 0
    assert time.monotonic() - began < 10
    admin = AdminClient(world.kafka.client_config())
    group = admin.describe_consumer_groups([world.name])[world.name].result()
    assert group.members == []
    again = world.start_sink()
    again.wait_ready()
    world.wait_caught_up(again)
    assert world.in_clickhouse() == world.in_kafka()
    assert len(world.in_clickhouse()) == 2000


def test_partitions_move_between_sinks_without_loss_or_doubles(world: Any, traffic: Any) -> None:
    with traffic(world, RATE):
        first = world.start_sink(SINK_INSTANCE_ID="")
        first.wait_ready()
        second = world.start_sink(SINK_INSTANCE_ID="")
        second.wait_ready()
        world.wait_for(
            lambda: len(first.health()["partitions"]) == len(second.health()["partitions"]) == world.partitions // 2,
            "the partitions are shared",
        )
        rows = second.health()["rows_total"]
        world.wait_for(lambda: second.health()["rows_total"] > rows, "the second stores rows")
        assert first.stop() == 0
        world.wait_for(lambda: len(second.health()["partitions"]) == world.partitions, "the second has all")
    world.wait_caught_up(second)
    assert world.in_clickhouse() == world.in_kafka()


def test_a_second_sink_of_the_same_name_stops_the_first(world: Any) -> None:
    first = world.start_sink()
    first.wait_ready()
    second = world.start_sink()
    assert first.process.wait(30) == 1
    assert "SINK_INSTANCE_ID" in first.log.read_text()
    second.wait_ready()


def test_garbage_is_dead_lettered_and_the_rest_stored(world: Any) -> None:
    other_schema = {"type": "record", "name": "Other", "fields": [{"name": "x", "type": "int"}]}
    other_id = world.register(f"{world.name}-other", other_schema)
    good = world.wire(world.event())
    garbage: dict[bytes | None, str] = {
        None: "null-value",
        b"": "not-wire-format",
        b"hello, world": "not-wire-format",
        world.head(): "not-wire-format",
        world.head(999_999_999) + b"\x02": "unknown-schema",
        world.head() + world.avro(world.event())[:-1]: "malformed-avro",
        world.head() + world.avro(world.event())[:40]: "malformed-avro",
        world.head() + b"\xff" * 40: "malformed-avro",
        good + b"more": "malformed-avro",
        world.head(other_id) + b"\x02": "unusable-schema",
        world.wire(world.event(event_id="not-a-uuid")): "invalid-value",
    }
    valid = [world.wire(world.event()) for _ in range(3000)]
    values: list[bytes | None] = [*valid, *garbage]
    random.shuffle(values)
    world.produce(values)
    sink = world.start_sink()
    sink.wait_ready()
    world.wait_caught_up(sink)

    in_topic = {(m.partition(), m.offset()): m for m in world.read_topic(world.kafka.topic)}
    letters = world.read_topic(world.kafka.dead_letter_topic)
    assert {letter.value(): dict(letter.headers())[ERROR_CLASS].decode() for letter in letters} == garbage
    assert len(letters) == len(garbage)
    for letter in letters:
        headers = dict(letter.headers())
        source = in_topic.pop((int(headers[PARTITION]), int(headers[OFFSET])))
        assert headers[TOPIC].decode() == world.kafka.topic
        assert (letter.key(), letter.value(), letter.timestamp()) == (source.key(), source.value(), source.timestamp())
        assert headers[COMPONENT] == b"sink"
        assert headers[REASON]
        assert datetime.fromisoformat(headers[TIMESTAMP].decode()).utcoffset() is not None
    assert {(p, o) for _, p, o in world.in_clickhouse()} == set(in_topic)
    assert len(in_topic) == len(valid)
    assert sink.health()["dead_letters_total"] == len(garbage)


def test_clickhouse_killed_and_restarted_loses_nothing_and_stores_nothing_twice(world: Any, traffic: Any) -> None:
    server = world.start_clickhouse()
    world.migrate()
    sink = world.start_sink()
    sink.wait_ready()
    with traffic(world, RATE):
        for _ in range(2):
            rows = sink.health()["rows_total"]
            world.wait_for(lambda before=rows: sink.health()["rows_total"] > before + RATE, "rows are stored")
            server.kill()
            server.wait()
            reason = world.wait_for(lambda: sink.health()["paused_reason"], "paused")
            assert "ClickHouse" in reason
            assert sink.health()["healthy"]
            server = world.start_clickhouse()
    world.wait_caught_up(sink)
    assert world.in_clickhouse() == world.in_kafka()
    assert world.read_topic(world.kafka.dead_letter_topic) == []
    log = sink.log.read_text()
    assert log.count('"event": "paused"') == log.count('"event": "resumed"') >= 2


def test_a_registry_outage_pauses_and_dead_letters_nothing(world: Any) -> None:
    port = world.free_port()
    address = world.registry.url.replace("http://", "").split("/")[0]
    through_relay = world.registry.url.replace(address, f"127.0.0.1:{port}")
    # So few rows fill the buffer: its partitions are paused too.
    sink = world.start_sink(SCHEMA_REGISTRY_URL=through_relay, SINK_FLUSH_ROWS="100")
    sink.wait_ready()
    world.produce([world.wire(world.event()) for _ in range(500)])
    reason = world.wait_for(lambda: sink.health()["paused_reason"], "paused")
    assert "Schema Registry" in reason
    assert sink.health()["healthy"]
    assert world.in_clickhouse() == []
    with Relay(port, address):
        world.wait_caught_up(sink)
    assert world.in_clickhouse() == world.in_kafka()
    assert world.read_topic(world.kafka.dead_letter_topic) == []
    assert sink.log.read_text().count('"event": "paused"') == 1
    assert sink.log.read_text().count('"event": "resumed"') == 1


class Relay:
    """Passes TCP connections on while the block runs."""

    def __init__(self, port: int, target: str) -> None:
        host, target_port = target.split(":")
        self._target = (host, int(target_port))
        self._server = socket.create_server(("127.0.0.1", port))
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            target = socket.create_connection(self._target)
            for source, sink in ((client, target), (target, client)):
                threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    while data := source.recv(65536):
        sink.sendall(data)
    sink.close()
