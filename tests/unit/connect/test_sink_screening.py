"""What is malformed, and that nothing is called so which ClickHouse would take."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import fastavro
import httpx
import pytest

from clickpulse.errors import TransientError
from clickpulse.future import FutureLimit
from clickpulse.settings import PROJECT_ROOT
from connect.sink.schemas import UNKNOWN_FOR_SECONDS, SchemaCache
from connect.sink.screening import Screening

SCHEMA = json.loads((PROJECT_ROOT / "producer" / "schemas" / "user_interaction.avsc").read_text())
PARSED = fastavro.parse_schema(SCHEMA)
HEAD = b"\0\0\0\0\7"
NOW_MS = 1_700_000_500_000
ID = "0b9e0b0c-6d0f-4f6e-9a55-0a5a3a1f6a11"


class Registry:
    """Answers like a registry with one schema, whose id is 7."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.answer: Callable[[int], httpx.Response] = self.normal

    def normal(self, schema_id: int) -> httpx.Response:
        if schema_id == 7:
            return httpx.Response(200, json={"schema": json.dumps(SCHEMA)})
        return httpx.Response(404, json={"error_code": 40403, "message": "Schema not found"})

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path.startswith("/api/schemas/ids/")
        self.asked.append(int(request.url.path.rsplit("/", 1)[1]))
        return self.answer(self.asked[-1])


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
def schemas(registry: Registry) -> Iterator[SchemaCache]:
    with httpx.Client(base_url="http://registry/api", transport=httpx.MockTransport(registry)) as http:
        yield SchemaCache(http)


@pytest.fixture
def screening(schemas: SchemaCache) -> Screening:
    return Screening(schemas, FutureLimit(300, lambda: NOW_MS))


def datum(**values: Any) -> bytes:
    event = {
        "event_id": ID, "user_id": ID, "session_id": ID, "event_type": "SEARCH", "event_timestamp": 1_700_000_000_000,
        "request_latency_ms": 5, "status": "SUCCESS", "error_code": None, "product_id": None,
    }  # fmt: skip
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, PARSED, event | values)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("value", "error_class"),
    [
        (None, "null-value"),
        (b"", "not-wire-format"),
        (HEAD, "not-wire-format"),
        (b"\1\0\0\0\7" + datum(), "not-wire-format"),
        (b"\0\0\0\0\x08" + datum(), "unknown-schema"),
        (HEAD + datum(), None),
    ],
)
def test_heads(screening: Screening, message: Any, value: bytes | None, error_class: str | None) -> None:
    fault = screening.head_fault(message((0, 1), value))
    assert (fault.error_class if fault else None) == error_class


@pytest.mark.parametrize(
    ("value", "error_class"),
    [
        pytest.param(datum(), None, id="good"),
        pytest.param(datum()[:-1], "malformed-avro", id="cut by one byte"),
        pytest.param(datum()[:30], "malformed-avro", id="cut"),
        pytest.param(b"\xff" * 50, "malformed-avro", id="noise"),
        pytest.param(datum() + b"x", "malformed-avro", id="bytes behind"),
        pytest.param(datum()[:111] + b"\x20" + datum()[112:], "malformed-avro", id="no such enum symbol"),
        pytest.param(datum(user_id="someone"), "invalid-value", id="not a UUID"),
        pytest.param(datum(user_id=ID.replace("-", "")), None, id="UUID without dashes, ClickHouse takes it"),
        pytest.param(datum(event_timestamp=NOW_MS + 300_000), None, id="as far ahead as may be"),
        pytest.param(datum(event_timestamp=NOW_MS + 300_001), "future-timestamp", id="further ahead"),
        pytest.param(datum(event_timestamp=10**18), "future-timestamp", id="year 30000000"),
        pytest.param(datum(event_timestamp=-1), None, id="before 1970, ClickHouse takes it"),
        pytest.param(datum(product_id="p").replace(b"\x02p", b"\x02\xff"), None, id="not UTF-8, ClickHouse takes it"),
    ],
)
def test_bodies(screening: Screening, message: Any, value: bytes, error_class: str | None) -> None:
    fault = screening.body_fault(message((0, 1), HEAD + value))
    assert (fault.error_class if fault else None) == error_class


def test_a_known_head_is_no_longer_suspect(screening: Screening, message: Any, registry: Registry) -> None:
    good, other = message((0, 1), HEAD + datum()), message((0, 2), b"\0\0\0\0\x08x")
    assert screening.suspects([good, other]) == [good, other]
    assert screening.head_fault(good) is None
    assert screening.suspects([good, other, message((0, 3), None)]) == [other, message((0, 3), None)]
    assert registry.asked == [7]


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(503),
        httpx.Response(404, text="not found"),
        httpx.Response(404, json={"error_code": 404, "message": "HTTP 404 Not Found"}),
        httpx.Response(200, text="<html>"),
    ],
    ids=["503", "bare 404", "404 of another kind", "not JSON"],
)
def test_a_registry_that_is_not_itself_is_an_outage(
    schemas: SchemaCache, registry: Registry, response: httpx.Response
) -> None:
    registry.answer = lambda _: response
    with pytest.raises(TransientError, match="registry"):
        schemas.get(7)
    registry.answer = registry.normal
    assert schemas.get(7) is not None


def test_no_connection_is_an_outage(schemas: SchemaCache, registry: Registry) -> None:
    def refuse(_: int) -> httpx.Response:
        raise httpx.ConnectError("connection refused")

    registry.answer = refuse
    with pytest.raises(TransientError, match="connection refused"):
        schemas.get(7)


def test_an_unknown_id_is_asked_for_again_after_a_while(registry: Registry) -> None:
    now = [0.0]
    with httpx.Client(base_url="http://registry/api", transport=httpx.MockTransport(registry)) as http:
        schemas = SchemaCache(http, clock=lambda: now[0])
        assert schemas.get(9) is schemas.get(9) is None
        assert registry.asked == [9]
        now[0] += UNKNOWN_FOR_SECONDS
        schemas.get(9)
        assert registry.asked == [9, 9]


def test_kafkas_timestamp_makes_suspect_and_the_events_own_decides(screening: Screening, message: Any) -> None:
    early, late = datum(event_timestamp=NOW_MS), datum(event_timestamp=NOW_MS + 900_000)
    suspect = message((0, 2), HEAD + late, NOW_MS + 900_000)
    forwarded = message((0, 3), HEAD + early, NOW_MS + 900_000)
    assert screening.ahead([message((0, 1), HEAD + late, NOW_MS), suspect, forwarded]) == [suspect, forwarded]
    assert screening.body_fault(forwarded) is None
    fault = screening.body_fault(suspect)
    assert fault is not None
    assert fault.reason == (
        "event_timestamp 2023-11-14T22:36:40.000Z is 900 s ahead of the clock, 2023-11-14T22:21:40.000Z; "
        "SINK_MAX_FUTURE_SECONDS allows 300"
    )


def test_a_schema_that_was_deleted_is_told_from_a_registry_that_is_away(
    screening: Screening, message: Any, registry: Registry
) -> None:
    good = message((0, 1), HEAD + datum())
    assert screening.head_fault(good) is None
    assert screening.unknown_schema(good) is None
    registry.answer = lambda _: httpx.Response(404, text="not found")
    with pytest.raises(TransientError, match="answers 404"):
        screening.unknown_schema(good)
    registry.answer = lambda _: httpx.Response(404, json={"error_code": 40403})
    fault = screening.unknown_schema(good)
    assert (fault.error_class if fault else None) == "unknown-schema"
