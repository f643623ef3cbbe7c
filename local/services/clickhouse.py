"""The embedded ClickHouse, and the migrations of its schema."""

from __future__ import annotations

from local import probes
from local.services.base import Service, Stack, python_module, run_step
from local.settings import HOST, log_dir


def services(stack: Stack) -> list[Service]:
    address = f"{stack.local.scheme}://{HOST}:{stack.local.clickhouse_port}"

    def prepare() -> None:
        run_step(python_module("clickhouse.migrate"), stack.environment, log_dir() / "migrate.log")

    return [
        Service(
            name="clickhouse",
            title="ClickHouse",
            command=python_module("clickhouse.server"),
            probe=probes.http(f"{address}/ping", ca_file=stack.local.ca_file),
            address=address,
            prepare=prepare,
            stop_seconds=30,
        )
    ]
