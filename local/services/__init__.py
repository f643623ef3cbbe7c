"""The services of the local stack, one module each, and the order that follows from what each needs."""

from __future__ import annotations

from local.services import airflow, clickhouse, connect, kafka, postgres, registry, reports, s3, sink, spark, traffic
from local.services.base import Service, Stack

__all__ = ["Service", "Stack", "all_services"]


def all_services(stack: Stack) -> list[Service]:
    """Every service of the stack, each after those it needs."""
    return [
        *postgres.services(stack),
        *clickhouse.services(stack),
        *kafka.services(stack),
        *s3.services(stack),
        *airflow.services(stack),
        *spark.services(stack),
        *registry.services(stack),
        *(connect.services(stack) if stack.local.sink == "connect" else sink.services(stack)),
        *reports.services(stack),
        *traffic.services(stack),
    ]
