"""Kafka Connect with the official ClickHouse sink, in the embedded sink's place (`SINK=connect`)."""

from __future__ import annotations

from pathlib import Path

from clickpulse.settings import ConnectSettings
from connect import plugins
from local import java, probes
from local.services.base import Service, Stack, python_module
from local.settings import HOST, cache_dir

_JARS = "connect"


def install() -> Path:
    """Bring the connector and the converter; returns the folder of the plugins.

    Raises:
        ConfigurationError: no connector is named, or it is not the one of the checksum.
        TransientError: something can't be downloaded.
    """
    settings = ConnectSettings.load()
    archive = plugins.checked_archive(settings, cache_dir() / "connect")
    java.install_jars(_JARS)
    folder = _plugin_folder(settings)
    plugins.assemble(archive, java.jar_dir(_JARS), folder, java=java.java(), kafka_jars=java.jar_dir("kafka"))
    return folder


def _plugin_folder(settings: ConnectSettings) -> Path:
    """Its name says what is in it."""
    return cache_dir() / "connect" / f"plugins-{(settings.sink_sha256 or '')[:16]}-{java.fingerprint(_JARS)[:16]}"


def services(stack: Stack) -> list[Service]:
    health = f"http://{HOST}:{stack.local.sink_port}"
    return [
        Service(
            name="connect",
            title="Sink (Kafka Connect)",
            command=python_module("connect.worker"),
            probe=probes.http(f"{health}/readyz"),
            needs=("kafka", "registry", "clickhouse"),
            environment={
                "CONNECT_JAVA": java.java(),
                "CONNECT_JARS": str(java.jar_dir("kafka")),
                "CONNECT_PLUGIN_PATH": str(_plugin_folder(ConnectSettings.load())),
            },
            address=f"http://{HOST}:{stack.local.connect_port}",
            install=install,
            start_seconds=240,
            stop_seconds=30,
        )
    ]
