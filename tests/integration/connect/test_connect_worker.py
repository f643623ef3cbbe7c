"""Kafka Connect with the official ClickHouse sink, against real Kafka, registry and ClickHouse."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import fastavro
import httpx
import psutil
import pytest

from bench.sink_runs import delete_worker_topics, worker_environment
from clickpulse.clients import clickhouse_client
from clickpulse.settings import PROJECT_ROOT, ConnectSettings
from connect.schemas import registry_url
from local.services import connect as connect_service

pytestmark = pytest.mark.timeout(300)

RATE = 500.0
START_SECONDS = 120
PAYLOAD = b"nothing that Avro knows, and a secret besides: hunter2"
Start = Callable[..., Any]


@pytest.fixture
def environment(world: Any, connector_archive: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Of a worker beside the stack's sink, on the test's own topic, group and database."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in connector_archive.items():
            patch.setenv(name, value)
        made = worker_environment(world.environment, world.folder, connect_service.install())
    yield made | {"SINK_HEALTH_PORT": str(world.free_port())}
    for sink in world.sinks:
        sink.kill()
    delete_worker_topics(world.kafka, made)


@pytest.fixture
def start(world: Any, environment: dict[str, str]) -> Start:
    def start_worker(**variables: str) -> Any:
        log = world.folder / f"connect-{len(world.sinks)}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "connect.worker"],
                cwd=PROJECT_ROOT,
                env=os.environ | environment | variables,
                stdout=out,
                stderr=out,
            )
        world.sinks.append(world.sink_type(process, int(environment["SINK_HEALTH_PORT"]), log))
        return world.sinks[-1]

    return start_worker


def wait_ready(world: Any, sink: Any) -> None:
    world.wait_for(lambda: answers(f"http://127.0.0.1:{sink.port}/readyz"), f"ready; {sink.log}", START_SECONDS)


def answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:
        return False


def connect_command(environment: Mapping[str, str], *arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit status and the JSON of `clickpulse connect …`."""
    command = [sys.executable, "-m", "clickpulse", "connect", *arguments, "--json"]
    done = subprocess.run(
        command, cwd=PROJECT_ROOT, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def rows_of_topic(world: Any, *, but: list[bytes | None]) -> list[tuple[Any, ...]]:
    """Every other message as the row that it has to be, read with another Avro library than the sink's."""
    rows = []
    for message in world.read_topic(world.kafka.topic):
        if message.value() in but:
            continue
        event = fastavro.schemaless_reader(io.BytesIO(message.value()[5:]), world.parsed_schema)
        rows.append(
            (
                *(str(event[name]) for name in ("event_id", "user_id", "session_id", "event_type")),
                round(event["event_timestamp"].timestamp() * 1000),
                *(event[name] for name in ("request_latency_ms", "status", "error_code", "product_id")),
                message.partition(),
                message.offset(),
            )
        )
    return sorted(rows, key=str)


def rows_of_table(world: Any) -> list[tuple[Any, ...]]:
    client = clickhouse_client(world.clickhouse)
    rows = client.query(
        """
        SELECT
            toString(event_id), toString(user_id), toString(session_id), event_type,
            toUnixTimestamp64Milli(event_timestamp), request_latency_ms, status, error_code, product_id,
            kafka_partition, kafka_offset
        FROM events
        """
    ).result_rows
    client.close()
    return sorted((tuple(row) for row in rows), key=str)


def test_rows_are_the_events_and_what_cannot_be_read_is_dead_lettered(
    world: Any, start: Start, environment: dict[str, str]
) -> None:
    good = [
        world.wire(world.event(status="ERROR", error_code=503)),
        world.wire(world.event(event_type="VIEW_PRODUCT", product_id="P-ä-1")),
        *(world.wire(world.event()) for _ in range(500)),
    ]
    classes: dict[bytes | None, str] = {
        b"": "not-wire-format",
        b"\0": "not-wire-format",
        PAYLOAD: "not-wire-format",
        world.head(4711) + good[0][5:]: "unknown-schema",
        good[0][:-9]: "malformed-avro",
        None: "null-value",
    }
    bad = list(classes)
    mixed = good.copy()
    for number, value in enumerate(bad):
        mixed.insert(20 * number, value)
    sink = start()
    wait_ready(world, sink)
    world.produce(mixed)
    world.wait_caught_up(sink)

    assert rows_of_table(world) == rows_of_topic(world, but=bad)
    assert len(rows_of_table(world)) == len(good)
    letters = world.wait_for(
        lambda: found if len(found := world.read_topic(world.kafka.dead_letter_topic)) >= len(bad) else None,
        "dead letters",
    )
    assert sorted(letter.value() or b"" for letter in letters) == sorted(value or b"" for value in bad)
    origins = {(m.partition(), m.offset()) for m in world.read_topic(world.kafka.topic) if m.value() in bad}
    headers = [{name: value.decode() for name, value in letter.headers()} for letter in letters]
    assert {(int(h["dlq.partition"]), int(h["dlq.offset"])) for h in headers} == origins
    assert {(h["dlq.topic"], h["dlq.component"]) for h in headers} == {(world.kafka.topic, "connect")}
    assert not [name for h in headers for name in h if name.startswith("__connect.")]
    assert {letter.value(): h["dlq.error_class"] for letter, h in zip(letters, headers, strict=True)} == classes
    assert PAYLOAD not in sink.log.read_bytes()

    status, state = connect_command(environment, "status")
    assert (status, state["running"]) == (0, True)
    assert connect_command(environment, "register") == (0, {"connector": state["connector"], "changed": False})
    kept = httpx.get(f"{environment['CONNECT_URL']}/connectors/{state['connector']}/config").json()
    assert kept["password"].startswith("${file:")
    assert world.clickhouse.password.get_secret_value() not in json.dumps(kept)
    command_lines = [" ".join(one.cmdline()) for one in psutil.Process(sink.process.pid).children()]
    assert command_lines
    assert not [line for line in command_lines if environment["KAFKA_SASL_PASSWORD"] in line]


def test_kills_and_an_outage_of_clickhouse_lose_nothing(world: Any, traffic: Any, start: Start) -> None:
    server = world.start_clickhouse()
    world.migrate()
    here = {"CLICKHOUSE_URL": world.environment["CLICKHOUSE_URL"]}
    sink = start(**here)
    wait_ready(world, sink)
    with traffic(world, RATE) as sent:
        world.wait_for(lambda: sum(world.ends().values()) > RATE, "events on both sides of the kill")
        server.kill()
        server.wait()
        world.wait_for(lambda: "ClickHouse" in str(sink.health().get("paused_reason")), "the pause is told")
        java = psutil.Process(sink.process.pid).children()[0]
        world.start_clickhouse()
        world.wait_caught_up(sink)
        sink.kill()
        psutil.wait_procs([java], timeout=10)
        assert not java.is_running(), "the worker's JVM outlived what keeps the registry's door open for it"
        sink = start(**here)
        wait_ready(world, sink)
    world.wait_caught_up(sink)
    expected = world.in_kafka()
    assert sorted(set(world.in_clickhouse())) == expected
    assert sorted(sent.acknowledged) == [event_id for event_id, _, _ in expected]
    assert world.read_topic(world.kafka.dead_letter_topic) == []


def test_started_without_clickhouse_and_registry_it_says_so_and_recovers_by_itself(
    world: Any, start: Start, environment: dict[str, str]
) -> None:
    world.start_clickhouse()
    world.migrate()
    server = world.processes[-1]
    server.kill()
    server.wait()
    world.produce([world.wire(world.event()) for _ in range(100)])
    port = world.free_port()
    sink = start(CLICKHOUSE_URL=world.environment["CLICKHOUSE_URL"], CONNECT_REGISTRY_URL=f"http://127.0.0.1:{port}")

    def failed() -> dict[str, Any] | None:
        if not answers(f"{environment['CONNECT_URL']}/connectors"):
            return None
        status, state = connect_command(environment, "status")
        traces = [part for part in state["parts"] if part["state"] == "FAILED"]
        return {"status": status, "part": traces[0]} if traces else None

    found = world.wait_for(failed, f"a failed task; {sink.log}", START_SECONDS)
    assert found["status"] == 1
    assert found["part"]["name"] == "task 0"
    assert "Connection to ClickHouse is not active" in found["part"]["trace"]
    world.wait_for(lambda: "task 0 failed" in str(sink.health().get("paused_reason")), "the health page says so")
    assert connect_command(environment, "restart")[0] == 0

    world.start_clickhouse()
    world.wait_for(lambda: "Schema Registry" in str(sink.health().get("paused_reason")), "the registry is waited for")
    assert world.in_clickhouse() == []
    with forwarding(port, registry_url(ConnectSettings.load(), world.registry)):
        world.wait_caught_up(sink)
        wait_ready(world, sink)
    assert world.in_clickhouse() == world.in_kafka()
    assert world.read_topic(world.kafka.dead_letter_topic) == []


class forwarding:  # noqa: N801 - a context manager
    """The registry at `url`, reachable on a port while the block runs."""

    def __init__(self, port: int, url: str) -> None:
        class Forward(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                got = httpx.get(f"{url}{self.path}")
                self.send_response(got.status_code)
                self.send_header("Content-Length", str(len(got.content)))
                self.end_headers()
                self.wfile.write(got.content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Forward)
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
