"""`python -m connect.worker`: a Connect worker, and beside it what keeps its connector going, takes its dead letters
on, and shows how it does.

One process, so that they live and end together: the JVM is killed by the kernel if this one dies, as a worker whose
door to the Schema Registry is gone would dead-letter good events.
"""

from __future__ import annotations

import ctypes
import logging
import signal
import subprocess
import sys
import threading
from contextlib import closing
from functools import partial
from pathlib import Path

import httpx
import stamina.instrumentation
import structlog

from clickpulse.credentials import write_private
from clickpulse.errors import ClickpulseError, ConfigurationError, TransientError
from clickpulse.logs import configure_logging
from clickpulse.settings import ClickHouseSettings, ConnectSettings, KafkaSettings, RegistrySettings, SinkSettings
from clickpulse.tls import client_context, java_trust_options
from connect.condition import Condition
from connect.connector import connector_config
from connect.letters import ConnectLetters, connect_letters
from connect.positions import GroupPositions
from connect.rest import ConnectRest
from connect.schemas import SchemaDoor, registry_url
from connect.sink import health
from connect.watch import LOOK_SECONDS, Watch
from connect.worker_properties import worker_properties

LOGGING = Path(__file__).with_name("log4j2.yaml")
STOP_SECONDS = 20
_PING_SECONDS = 2
_LETTERS = "dead letters"
_PR_SET_PDEATHSIG = 1
_JVM = (
    "-XX:+UseSerialGC",
    "-XX:+IgnoreUnrecognizedVMOptions",
    "--sun-misc-unsafe-memory-access=allow",  # of the drivers' compression; newer Java warns of it
    "--enable-native-access=ALL-UNNAMED",
)
log = structlog.get_logger()


def main() -> int:
    """Run until SIGTERM or SIGINT (exit status 0), a setting has to be changed (1), or the JVM ends (1)."""
    configure_logging("connect")
    stamina.instrumentation.set_on_retry_hooks([])
    logging.getLogger("httpx").setLevel(logging.WARNING)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        ended = _run(stop)
    except ClickpulseError as error:
        log.error("stopped", reason=str(error))  # noqa: TRY400 - the reason is enough for the one who mends it
        return 1
    log.info("stopped")
    return 1 if ended else 0


def _run(stop: threading.Event) -> bool:
    """Whether the JVM ended by itself."""
    connect, kafka, registry, clickhouse, sink = (
        ConnectSettings.load(), KafkaSettings.load_for("connect"), RegistrySettings.load(), ClickHouseSettings.load(),
        SinkSettings.load(),
    )  # fmt: skip
    condition = Condition()
    jvm = _start(connect, kafka, java_trust_options(clickhouse.ca_file))  # before any thread, see there
    try:
        with (
            SchemaDoor(registry_url(connect, registry)) as door,
            health.serving(sink.health_host, sink.health_port, condition, door.answer),
            ConnectRest(f"http://{connect.host}:{connect.port}", connect.connector_name) as rest,
            closing(GroupPositions(kafka, sink)) as positions,
            closing(connect_letters(kafka)) as letters,
        ):
            config = connector_config(connect, kafka, clickhouse, sink)
            watch = Watch(rest, config, positions, condition, why_stalled=partial(_why_stalled, door, clickhouse))
            while jvm.poll() is None and not stop.wait(LOOK_SECONDS):
                watch.look()
                _take_on(letters, condition)
            ended = jvm.poll() is not None and not stop.is_set()
            _end(jvm)  # while its door to the registry is open
            _take_on(letters, condition)
            return ended
    finally:
        _end(jvm)


def _take_on(letters: ConnectLetters, condition: Condition) -> None:
    try:
        letters.look()
    except TransientError as error:
        condition.pause(_LETTERS, str(error))
    else:
        condition.resume(_LETTERS)


def _start(connect: ConnectSettings, kafka: KafkaSettings, trust: list[str]) -> subprocess.Popen[bytes]:
    if connect.jars is None:
        raise ConfigurationError("CONNECT_JARS: a worker needs the folder with the jars of Kafka and Connect")
    connect.run_dir.mkdir(parents=True, exist_ok=True)
    file = connect.run_dir / "connect-worker.properties"
    properties = worker_properties(connect, kafka)
    write_private(file, "".join(f"{name}={value}\n" for name, value in properties.items()))
    command = [connect.java, f"-Xmx{connect.heap_mb}m", *_JVM, f"-Dlog4j2.configurationFile={LOGGING}"]
    command += [*trust, "-cp", f"{connect.jars}/*", "org.apache.kafka.connect.cli.ConnectDistributed", str(file)]
    libc = ctypes.CDLL(None)
    return subprocess.Popen(
        command,
        # Runs between fork and exec, where a thread's lock would stay locked: there is no thread yet.
        preexec_fn=lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL),  # noqa: PLW1509 - see above
        start_new_session=True,  # a Ctrl-C is for this process, which ends the other in order
    )


def _why_stalled(door: SchemaDoor, clickhouse: ClickHouseSettings) -> str:
    """What the sink needs and does not answer; empty if all of it does."""
    if door.waits:
        return "the Schema Registry does not answer"
    try:
        verify = client_context(clickhouse.ca_file)
        httpx.get(f"{clickhouse.url}ping", timeout=_PING_SECONDS, trust_env=False, verify=verify).raise_for_status()
    except httpx.HTTPError as error:
        return f"ClickHouse does not answer: {error!r}"
    return ""


def _end(jvm: subprocess.Popen[bytes]) -> None:
    jvm.terminate()
    try:
        jvm.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        jvm.kill()
        jvm.wait()


if __name__ == "__main__":
    sys.exit(main())
