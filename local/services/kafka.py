"""Kafka: one KRaft node, broker and controller in one process."""

from __future__ import annotations

from local import java, probes
from local.services.base import Service, Stack, python_module, run_step
from local.settings import HOST, log_dir


def services(stack: Stack) -> list[Service]:
    def prepare() -> None:
        run_step(python_module("broker.setup"), stack.environment, log_dir() / "kafka-setup.log")

    return [
        Service(
            name="kafka",
            title="Kafka",
            command=python_module("broker"),
            probe=probes.kafka(),
            environment={
                "KAFKA_BROKER_HOST": HOST,
                "KAFKA_BROKER_ADVERTISED_HOST": HOST,
                "KAFKA_BROKER_PORT": str(stack.local.kafka_port),
                "KAFKA_BROKER_CONTROLLER_PORT": str(stack.local.kafka_controller_port),
                "KAFKA_BROKER_HEAP_MB": str(stack.local.kafka_heap_mb),
                "KAFKA_BROKER_JAVA": java.java(),
                "KAFKA_BROKER_JARS": str(java.jar_dir("kafka")),
            },
            address=f"{HOST}:{stack.local.kafka_port}",
            install=java.install_jars,
            prepare=prepare,
            stop_seconds=30,
        )
    ]
