"""Schemas of the registry by id, kept for good: a registered schema never changes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import fastavro
import httpx

from clickpulse.errors import TransientError

SCHEMA_NOT_FOUND = 40403
"""The registry's own error code. A bare 404 may come from a registry that is still starting."""

UNKNOWN_FOR_SECONDS = 60.0
MAX_UNKNOWN = 10_000


class SchemaCache:
    """Looks schema ids up in the registry.

    Args:
        http: with the registry's address (Confluent's API) as its base URL; the caller closes it.
        clock: seconds, monotonic.
    """

    def __init__(self, http: httpx.Client, clock: Callable[[], float] = time.monotonic) -> None:
        self._http = http
        self._clock = clock
        self._schemas: dict[int, Any] = {}
        self._unknown_until: dict[int, float] = {}

    def get(self, schema_id: int) -> Any | None:
        """The schema, parsed, without logical types; None if there is none. `TransientError`: registry not reached."""
        if schema_id in self._schemas:
            return self._schemas[schema_id]
        if self._clock() < self._unknown_until.get(schema_id, float("-inf")):
            return None
        definition = self._fetch(schema_id)
        if definition is None:
            if len(self._unknown_until) >= MAX_UNKNOWN:
                self._unknown_until.clear()
            self._unknown_until[schema_id] = self._clock() + UNKNOWN_FOR_SECONDS
            return None
        self._schemas[schema_id] = fastavro.parse_schema(_without_logical_types(definition))
        return self._schemas[schema_id]

    def is_gone(self, schema_id: int) -> bool:
        """Whether the registry, asked just now, has no such schema, whatever is remembered. Raises as `get`."""
        return self._fetch(schema_id) is None

    def _fetch(self, schema_id: int) -> Any | None:
        try:
            answer = self._http.get(f"schemas/ids/{schema_id}")
        except httpx.TransportError as error:
            raise TransientError(f"Schema Registry at {self._http.base_url} not reached: {error}") from error
        try:
            content = answer.json()
        except ValueError:
            content = {}
        if answer.status_code == httpx.codes.OK and "schema" in content:
            return json.loads(content["schema"])
        if answer.status_code == httpx.codes.NOT_FOUND and content.get("error_code") == SCHEMA_NOT_FOUND:
            return None
        raise TransientError(
            f"Schema Registry at {self._http.base_url} answers {answer.status_code} for id {schema_id}"
        )


def _without_logical_types(definition: Any) -> Any:
    """Plain Avro types: a reader of logical types refuses values that ClickHouse takes, such as far-off dates."""
    if isinstance(definition, dict):
        return {name: _without_logical_types(part) for name, part in definition.items() if name != "logicalType"}
    if isinstance(definition, list):
        return [_without_logical_types(part) for part in definition]
    return definition
