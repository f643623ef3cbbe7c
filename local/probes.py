"""Is a service ready? Each probe answers within two seconds and says what is wrong where it can't be reached."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import httpx

from clickpulse.tls import client_context
from local.settings import HOST

PROBE_SECONDS = 2.0

Probe = Callable[[], str | None]
"""Returns None when the service is ready, else what is wrong."""


def http(url: str, *, accept: Callable[[httpx.Response], bool] | None = None, ca_file: Path | None = None) -> Probe:
    """Ready when `url` answers with 2xx (and `accept`, if given, agrees), over TLS trusting `ca_file`."""

    def probe() -> str | None:
        try:
            answer = httpx.get(url, timeout=PROBE_SECONDS, trust_env=False, verify=client_context(ca_file))
        except httpx.HTTPError as error:
            return f"{url}: {type(error).__name__}"
        if not answer.is_success:
            return f"{url}: HTTP {answer.status_code}"
        if accept is not None and not accept(answer):
            return f"{url}: answers, not ready yet"
        return None

    return probe


def tcp(port: int) -> Probe:
    """Ready when something accepts connections on the loopback port."""

    def probe() -> str | None:
        try:
            socket.create_connection((HOST, port), timeout=PROBE_SECONDS).close()
        except OSError as error:
            return f"{HOST}:{port}: {error.strerror or error}"
        return None

    return probe


def kafka() -> Probe:
    """Ready when the broker gives its metadata."""

    def probe() -> str | None:
        from confluent_kafka import KafkaException

        from clickpulse.clients import kafka_admin
        from clickpulse.settings import KafkaSettings

        settings = KafkaSettings.load_for("admin")
        port = int(settings.bootstrap_servers.rsplit(":", 1)[1])
        if problem := tcp(port)():  # librdkafka would log each refused connection
            return problem
        try:
            kafka_admin(settings).list_topics(timeout=PROBE_SECONDS)
        except KafkaException as error:
            return str(error.args[0])
        return None

    return probe


def postgres(url: str) -> Probe:
    """Ready when a login works."""

    def probe() -> str | None:
        import psycopg2

        try:
            psycopg2.connect(url, connect_timeout=int(PROBE_SECONDS)).close()
        except psycopg2.OperationalError as error:
            return str(error).strip().splitlines()[0]
        return None

    return probe


def s3() -> Probe:
    """Ready when the buckets can be listed with our key."""

    def probe() -> str | None:
        from minio.error import MinioException
        from urllib3.exceptions import HTTPError

        from clickpulse.clients import s3_client
        from clickpulse.settings import S3Settings

        settings = S3Settings.load()
        if problem := tcp(settings.endpoint.port or 80)():
            return problem
        try:
            s3_client(settings, seconds=PROBE_SECONDS).list_buckets()
        except (MinioException, HTTPError, ValueError) as error:
            return str(error)
        return None

    return probe
