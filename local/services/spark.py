"""A warm Spark Connect server: the JVM starts once, a report only brings its query."""

from __future__ import annotations

from local import java, probes
from local.services.base import Service, Stack, python_module, run_step
from local.settings import HOST, log_dir


def services(stack: Stack) -> list[Service]:
    def warm_up() -> None:
        run_step(python_module("spark.warm_up"), stack.environment, log_dir() / "spark-warmup.log")

    return [
        Service(
            name="spark",
            title="Spark Connect",
            command=python_module("spark.cluster", "connect"),
            probe=probes.tcp(stack.local.spark_port),
            needs=("s3",),
            address=f"sc://{HOST}:{stack.local.spark_port}",
            install=java.install_jars,
            prepare=warm_up,
        )
    ]
