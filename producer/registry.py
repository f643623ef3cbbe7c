"""Registers the event schema: `python -m producer.registry`.

The subject is `<topic>-value` (the registry's topic name strategy), its compatibility is the one of the settings, so
that a schema that could not read older events is refused before anything is written with it.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, NoReturn

import httpx2  # what the registry client speaks HTTP with; httpx knows nothing of its errors
import stamina
import structlog
from confluent_kafka.schema_registry import ConfigCompatibilityLevel, Schema, ServerConfig
from confluent_kafka.schema_registry.error import SchemaRegistryError

from clickpulse.clients import registry_client
from clickpulse.errors import ClickpulseError, ConfigurationError, TransientError
from clickpulse.logs import configure_logging
from clickpulse.settings import KafkaSettings, ProducerSettings, RegistrySettings
from producer.compatibility import backward_problems
from producer.wire import SCHEMA_FILE, read_schema

if TYPE_CHECKING:
    from confluent_kafka.schema_registry import SchemaRegistryClient

log = structlog.get_logger()

_NOT_FOUND = 404
_CONFLICT = 409
_UNPROCESSABLE = 422
_SERVER_ERROR = 500


def subject_of(topic: str) -> str:
    return f"{topic}-value"


def register(schema_text: str, topic: str, settings: RegistrySettings, *, timeout_seconds: float) -> int:
    """Register the schema for the topic's values and return its id. Registering it again changes nothing.

    Args:
        schema_text: the Avro schema as JSON.
        topic: the topic whose values have this schema.
        settings: address and compatibility.
        timeout_seconds: how long an unreachable registry is tried again.

    Raises:
        ConfigurationError: the registry refuses the schema; names the field and the remedy.
        TransientError: the registry did not answer in `timeout_seconds`.
    """
    with registry_client(settings) as client:
        for attempt in stamina.retry_context(on=TransientError, attempts=None, timeout=timeout_seconds, wait_max=2):
            with attempt:
                return _register_once(client, schema_text, topic, settings)
    raise AssertionError("unreachable: the retry context returns or raises")


def _register_once(client: SchemaRegistryClient, schema_text: str, topic: str, settings: RegistrySettings) -> int:
    subject = subject_of(topic)
    wanted = ServerConfig(compatibility=ConfigCompatibilityLevel(settings.compatibility))
    try:
        latest = _latest(client, subject)
        if latest is not None:
            client.set_config(subject, wanted)
        schema_id = client.register_schema(subject, Schema(schema_text, "AVRO"))
        if latest is None:
            # Some registries know a subject's configuration only once the subject exists.
            client.set_config(subject, wanted)
    except httpx2.TransportError as error:
        raise TransientError(
            f"Schema Registry {settings.url} does not answer ({error}): start it, or set SCHEMA_REGISTRY_URL"
        ) from error
    except SchemaRegistryError as error:
        _explain(error, subject, latest, schema_text, settings)
    log.info("schema_registered", subject=subject, schema_id=schema_id, compatibility=settings.compatibility)
    return int(schema_id)


def _latest(client: SchemaRegistryClient, subject: str) -> str | None:
    """The registered schema's text, or None for a new subject."""
    try:
        return str(client.get_latest_version(subject).schema.schema_str)
    except SchemaRegistryError as error:
        if error.http_status_code == _NOT_FOUND:
            return None
        raise


def _explain(
    error: SchemaRegistryError, subject: str, latest: str | None, schema_text: str, settings: RegistrySettings
) -> NoReturn:
    if error.http_status_code >= _SERVER_ERROR:
        raise TransientError(f"Schema Registry {settings.url} failed: {error}") from error
    if error.http_status_code == _CONFLICT:
        problems = backward_problems(json.loads(latest), json.loads(schema_text)) if latest else []
        raise ConfigurationError(
            f"the schema is not {settings.compatibility} compatible with the latest one of {subject}: "
            f"{'; '.join(problems) or error.error_message}. Change {SCHEMA_FILE.name} so that it can still read the "
            f"events already written (a new field needs a default; keep names, types and symbols), or use a new topic"
        ) from error
    if error.http_status_code == _UNPROCESSABLE:
        raise ConfigurationError(
            f"Schema Registry refuses {SCHEMA_FILE.name} for {subject}: {error.error_message}"
        ) from error
    raise ConfigurationError(
        f"Schema Registry {settings.url} answers {error.http_status_code} for {subject}: {error.error_message}; "
        f"is SCHEMA_REGISTRY_URL its Confluent API?"
    ) from error


def main() -> int:
    configure_logging("producer")
    try:
        register(
            read_schema(),
            KafkaSettings.load().topic,
            RegistrySettings.load(),
            timeout_seconds=ProducerSettings.load().connect_timeout_seconds,
        )
    except ClickpulseError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - this is a command
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
