"""Schema Registry: Apicurio, spoken to through Confluent's API."""

from __future__ import annotations

from local import java, probes
from local.services.base import Service, Stack, python_module, run_step
from local.settings import HOST, cache_dir, data_dir, log_dir


def services(stack: Stack) -> list[Service]:
    folder = cache_dir() / "apicurio-registry-app-3.3.3-all"
    port, management = stack.local.registry_port, stack.local.registry_management_port

    def install() -> None:
        java.install_jars()
        java.unpack_registry()

    def prepare() -> None:
        run_step(python_module("producer.registry"), stack.environment, log_dir() / "schema.log")

    return [
        Service(
            name="registry",
            title="Schema Registry",
            command=[
                java.java(),
                f"-Xmx{stack.local.registry_heap_mb}m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-jar",
                str(folder / "quarkus-run.jar"),
            ],
            probe=probes.http(f"http://{HOST}:{management}/health/ready"),
            environment={
                "QUARKUS_HTTP_HOST": HOST,
                "QUARKUS_HTTP_PORT": str(port),
                "QUARKUS_MANAGEMENT_HOST": HOST,
                "QUARKUS_MANAGEMENT_PORT": str(management),
                "APICURIO_STORAGE_KIND": "sql",
                "APICURIO_STORAGE_SQL_KIND": "h2",
                "APICURIO_DATASOURCE_URL": f"jdbc:h2:file:{data_dir()}/registry/registry",
                "APICURIO_DATASOURCE_JDBC_INITIAL_SIZE": "2",
                "APICURIO_DATASOURCE_JDBC_MIN_SIZE": "2",
                "QUARKUS_LOG_LEVEL": "WARN",
            },
            address=f"http://{HOST}:{port}/apis/ccompat/v7",
            install=install,
            prepare=prepare,
            start_seconds=240,
        )
    ]
