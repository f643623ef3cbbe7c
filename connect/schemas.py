"""The converter's door to the Schema Registry, opened by the worker's own process.

Connect dead-letters what its converter fails on, and Apicurio's converter fails at once when the registry does not
answer: an outage would dead-letter good events, and no setting prevents it. The one answer that it waits at is 429,
"too many requests", after which it asks again. So it asks here, and gets the schema, or the registry's word that there
is none, or 429 for as long as the registry gives neither: a bare 404 is also what a registry that starts, or a proxy
before one that is away, may say. What an id stands for never changes, so each is asked for once.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Self
from urllib.parse import urlsplit

import httpx
import structlog

from clickpulse.errors import ConfigurationError
from clickpulse.settings import ConnectSettings, RegistrySettings
from connect.sink.health import Answer

API = "/apis/registry/v2"
_CONFLUENT_API = "/apis/ccompat/v7"
_SECONDS = 5
_SCHEMA = re.compile(rf"{API}(/ids/contentIds/\d+(?:/references)?)")
_NO_SUCH_ID = frozenset({"ContentNotFoundException", "ArtifactNotFoundException"})
"""Not `NotFoundException`, which is said of a path that the registry does not serve."""
log = structlog.get_logger()

_WAIT = Answer(HTTPStatus.TOO_MANY_REQUESTS, "application/json", b"{}")


def registry_url(connect: ConnectSettings, registry: RegistrySettings) -> str:
    """Apicurio's own API. Raises `ConfigurationError` where it does not follow from the registry's address."""
    if connect.registry_url is not None:
        return str(connect.registry_url).rstrip("/")
    if urlsplit(registry.url).path.rstrip("/") != _CONFLUENT_API:
        raise ConfigurationError(
            f"SCHEMA_REGISTRY_URL {registry.url} is not Apicurio's {_CONFLUENT_API}: the Avro converter of Kafka "
            f"Connect speaks Apicurio's own API, set CONNECT_REGISTRY_URL (…{API})"
        )
    return registry.url.rstrip("/").removesuffix(_CONFLUENT_API) + API


class SchemaDoor:
    """Answers several threads.

    Args:
        url: see `registry_url`.
    """

    def __init__(self, url: str, transport: httpx.BaseTransport | None = None) -> None:
        self._registry = httpx.Client(base_url=url, timeout=_SECONDS, trust_env=False, transport=transport)
        self._known: dict[str, Answer] = {}
        self._waits = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._registry.close()

    def answer(self, path: str) -> Answer | None:
        """None for a path that is none of this door's."""
        matched = _SCHEMA.fullmatch(path)
        if matched is None:
            return None
        return self._known.get(path) or self._ask(path, matched[1])

    def _ask(self, path: str, upstream: str) -> Answer:
        try:
            got = self._registry.get(upstream)
        except httpx.TransportError as error:
            return self._wait(repr(error))
        if not got.is_success and not _says_there_is_none(got):
            return self._wait(f"HTTP {got.status_code}")
        if self._waits:
            self._waits = False
            log.info("resumed", source="registry")
        answer = Answer(got.status_code, got.headers.get("Content-Type", "application/json"), got.content)
        if got.is_success:
            self._known[path] = answer
        return answer

    def _wait(self, reason: str) -> Answer:
        if not self._waits:
            self._waits = True
            log.warning("paused", source="registry", reason=f"Schema Registry: {reason}")
        return _WAIT

    @property
    def waits(self) -> bool:
        """Whether the registry did not answer when it was last asked."""
        return self._waits


def _says_there_is_none(answer: httpx.Response) -> bool:
    """Whether it is Apicurio's answer for an id that it does not know."""
    if answer.status_code != HTTPStatus.NOT_FOUND:
        return False
    try:
        content = answer.json()
    except ValueError:
        return False
    return isinstance(content, dict) and content.get("name") in _NO_SUCH_ID
