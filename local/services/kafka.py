"""Kafka: one KRaft node, broker and controller in one process."""

from __future__ import annotations

import subprocess
import uuid
from pathlib import Path

from clickpulse.errors import ClickpulseError
from local import java, probes
from local.services.base import Service, Stack, python_module, run_step
from local.settings import HOST, data_dir, log_dir, run_dir

_LOGGING = """\
Configuration:
  status: ERROR
  Appenders:
    Console:
      name: STDOUT
      PatternLayout: {pattern: "%d{yyyy-MM-dd'T'HH:mm:ss.SSSXXX}{UTC} %p %c{1} %m%n"}
  Loggers:
    Root: {level: WARN, AppenderRef: {ref: STDOUT}}
    Logger:
      - {name: kafka.server.KafkaRaftServer, level: INFO}
"""


def _properties(stack: Stack) -> dict[str, object]:
    port, controller = stack.local.kafka_port, stack.local.kafka_controller_port
    return {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{HOST}:{controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"CLIENT://{HOST}:{port},CONTROLLER://{HOST}:{controller}",
        "advertised.listeners": f"CLIENT://{HOST}:{port}",
        "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "CLIENT",
        "log.dirs": data_dir() / "kafka",
        "auto.create.topics.enable": "false",
        "num.partitions": 1,
        "offsets.topic.num.partitions": 3,
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
        "log.cleaner.dedupe.buffer.size": 16 * 1024**2,
    }


def services(stack: Stack) -> list[Service]:
    configuration = run_dir() / "kafka.properties"
    logging = run_dir() / "kafka-log4j2.yaml"
    command = [java.java(), f"-Xmx{stack.local.kafka_heap_mb}m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    command += [f"-Dlog4j2.configurationFile={logging}", "-cp", f"{java.jar_dir('kafka')}/*"]

    def configure() -> None:
        configuration.write_text("".join(f"{name}={value}\n" for name, value in _properties(stack).items()))
        logging.write_text(_LOGGING)
        if not (data_dir() / "kafka" / "meta.properties").is_file():
            _format(command, configuration)

    def prepare() -> None:
        run_step(python_module("producer.topics"), stack.environment, log_dir() / "topics.log")

    return [
        Service(
            name="kafka",
            title="Kafka",
            command=[*command, "kafka.Kafka", str(configuration)],
            probe=probes.kafka(),
            address=f"{HOST}:{stack.local.kafka_port}",
            install=java.install_jars,
            configure=configure,
            prepare=prepare,
            stop_seconds=30,
        )
    ]


def _format(command: list[str], configuration: Path) -> None:
    cluster_id = uuid.uuid4().hex[:22]
    tool = [*command, "kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(configuration)]
    done = subprocess.run(tool, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ClickpulseError(
            f"Kafka's data folder {data_dir() / 'kafka'} could not be formatted: {done.stderr[-500:]}"
        )
