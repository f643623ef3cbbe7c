"""Secrets in Connect's configuration: a reference to the `.creds` file, which Kafka's `FileConfigProvider` resolves
inside the worker. What is stored in Kafka and what the REST interface shows is the reference.
"""

from __future__ import annotations

from clickpulse.settings import creds_dir

CLICKHOUSE = "clickhouse"
KAFKA = "kafka_connect"
_READ_BY_CONNECT = (CLICKHOUSE, KAFKA)


def reference(file: str, variable: str) -> str:
    """Stands for the variable's value in `<file>.creds`."""
    return f"${{file:{creds_dir() / file}.creds:{variable}}}"


def provider_properties() -> dict[str, str]:
    """The worker's configuration provider; it reads these two files and no other."""
    return {
        "config.providers": "file",
        "config.providers.file.class": "org.apache.kafka.common.config.provider.FileConfigProvider",
        "config.providers.file.param.allowed.paths": ",".join(
            str(creds_dir() / f"{name}.creds") for name in _READ_BY_CONNECT
        ),
    }
