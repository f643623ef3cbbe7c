"""The sink from Kafka to ClickHouse."""

from __future__ import annotations

from local import probes
from local.services.base import Service, Stack, python_module
from local.settings import HOST


def services(stack: Stack) -> list[Service]:
    address = f"http://{HOST}:{stack.local.sink_port}"
    return [
        Service(
            name="sink",
            title="Sink",
            command=python_module("connect.sink"),
            probe=probes.http(f"{address}/readyz"),
            needs=("kafka", "registry", "clickhouse"),
            address=address,
            stop_seconds=20,
        )
    ]
