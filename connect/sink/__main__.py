"""`python -m connect.sink`: runs until SIGTERM or SIGINT, then flushes, commits, leaves the group and ends with 0."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from contextlib import closing
from functools import partial
from pathlib import Path

import httpx
import stamina.instrumentation
import structlog

from clickhouse.queries import load
from clickpulse.clients import clickhouse_client
from clickpulse.completeness import kafka_offsets
from clickpulse.dead_letters import dead_letter_writer
from clickpulse.errors import ConfigurationError
from clickpulse.future import FutureLimit
from clickpulse.logs import configure_logging
from clickpulse.settings import ClickHouseSettings, KafkaSettings, RegistrySettings, SinkSettings
from connect.sink import health
from connect.sink.batch import Buffer
from connect.sink.consumer import Commits, group_member
from connect.sink.delivery import Delivery
from connect.sink.runner import Runner
from connect.sink.schemas import SchemaCache
from connect.sink.screening import Screening
from connect.sink.start import find_start
from connect.sink.status import Status
from connect.sink.writer import EventWriter, Statements

CONNECT_SECONDS = 2
INSERT_SECONDS = 60
"""For the answer to an insert; a second is a lot on a healthy server."""

log = structlog.get_logger()


def main() -> int:
    """Run the sink; the exit status is 0 after a signal, 1 when a setting has to be changed."""
    configure_logging("sink")
    # A pause is logged once, not at each attempt.
    stamina.instrumentation.set_on_retry_hooks([])
    logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        _run(stop)
    except ConfigurationError as error:
        log.error("stopped", reason=str(error))  # noqa: TRY400 - the reason is enough for the one who mends it
        return 1
    log.info("stopped")
    return 0


def _run(stop: threading.Event) -> None:
    kafka, registry, clickhouse, sink = (
        KafkaSettings.load_for("sink"), RegistrySettings.load(), ClickHouseSettings.load(), SinkSettings.load(),
    )  # fmt: skip
    status, future = Status(), FutureLimit(sink.max_future_seconds)
    with (
        health.serving(sink.health_host, sink.health_port, status),
        httpx.Client(base_url=registry.url, timeout=httpx.Timeout(5, connect=CONNECT_SECONDS)) as http,
        closing(_writer(clickhouse, registry, future)) as writer,
    ):
        commits = Commits(kafka.topic, status)
        offsets = kafka_offsets(kafka, sink)
        delivery = Delivery(writer, Screening(SchemaCache(http), future), dead_letter_writer(kafka), status)
        Runner(
            group_member(kafka, sink, status, commits.answered),
            kafka.topic,
            Buffer(sink.flush_rows, sink.flush_bytes, sink.flush_ms / 1000),
            commits=commits,
            deliver=delivery.deliver,
            find_start=partial(find_start, stored_positions=writer.stored_positions, look=partial(offsets.look, 0)),
            status=status,
            stop_seconds=sink.stop_seconds,
        ).run(stop)


def _writer(clickhouse: ClickHouseSettings, registry: RegistrySettings, future: FutureLimit) -> EventWriter:
    return EventWriter(
        partial(
            clickhouse_client,
            clickhouse,
            connect_timeout=CONNECT_SECONDS,
            send_receive_timeout=INSERT_SECONDS,
            compress=False,
        ),
        Statements(
            insert=load("insert_events"),
            positions=load("sink_positions"),
            running=Path(__file__).with_name("running_inserts.sql").read_text(),
        ),
        clickhouse.registry_url or registry.url,
        future,
    )


if __name__ == "__main__":
    sys.exit(main())
