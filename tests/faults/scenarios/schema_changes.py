"""A schema that could not read older events, and events written with one that lacks what is needed."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from confluent_kafka.schema_registry import Schema
from fastavro import parse_schema, schemaless_writer

from clickpulse.clients import registry_client
from clickpulse.errors import ConfigurationError
from clickpulse.settings import KafkaSettings, RegistrySettings
from producer.registry import register, subject_of
from producer.wire import read_schema
from tests.faults.events import events_at, now_ms, send_events, window_of
from tests.faults.observing import REFUSAL_LENGTH, shortened
from tests.faults.scenario import Course, Lab, Scenario
from tests.faults.topics import Letter, send_raw

COUNT = 30
REGISTRY_SECONDS = 30
_CHANGED = "request_latency_ms"
_LACKING = "user_id"


@contextmanager
def incompatible(_lab: Lab, course: Course) -> Iterator[None]:
    """The registry refuses it, the message says which field, and the subject stays as it was."""
    topic, settings = KafkaSettings.load().topic, RegistrySettings.load()
    before = _newest_version(topic, settings)
    try:
        register(_with_another_type(read_schema(), _CHANGED), topic, settings, timeout_seconds=REGISTRY_SECONDS)
    except ConfigurationError as error:
        course.refused.append(shortened(str(error), REFUSAL_LENGTH))
    assert _newest_version(topic, settings) == before, "the incompatible schema was taken"
    course.note("the registry keeps the schema that it had")
    yield


def field_is_named(_lab: Lab, course: Course, _letters: list[Letter]) -> Iterable[str]:
    if not any(_CHANGED in text for text in course.refused):
        yield f"the refusal does not name the field {_CHANGED}: {course.refused}"


@contextmanager
def foreign(lab: Lab, course: Course) -> Iterator[None]:
    """Events of a registered schema without a field that ClickHouse needs: these are set aside, the others not."""
    definition = _without(read_schema(), _LACKING)
    with registry_client(RegistrySettings.load()) as client:
        schema_id = client.register_schema("faults-foreign-value", Schema(json.dumps(definition), "AVRO"))
    schema, now = parse_schema(definition), now_ms()
    events = events_at([now] * COUNT)
    values = [
        _encoded(schema, schema_id, {name: value for name, value in event._asdict().items() if name != _LACKING})
        for event in events
    ]
    send_events(lab, course, events_at([now] * COUNT), reported=True)
    send_raw([(event.user_id.encode(), value, now, -1) for event, value in zip(events, values, strict=True)])
    lab.ledger.note(window_of(now), acknowledged=COUNT, reported=0)
    course.letters["unusable-schema"] += COUNT
    course.note(f"{COUNT} events without {_LACKING} set aside, {COUNT} good ones beside them counted")
    yield


def reason_is_told(_lab: Lab, course: Course, letters: list[Letter]) -> Iterable[str]:
    reasons = [letter.reason for letter in letters if _LACKING in letter.reason]
    if not reasons:
        yield f"no dead letter names the missing field {_LACKING}"
    course.refused += [shortened(reason, REFUSAL_LENGTH) for reason in reasons[:1]]


def _encoded(schema: Any, schema_id: int, record: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    out.write(b"\x00" + struct.pack(">I", schema_id))
    schemaless_writer(out, schema, record)
    return out.getvalue()


def _with_another_type(text: str, field: str) -> str:
    """The field as text: a reader of it can't read the numbers that are there."""
    definition = json.loads(text)
    changed = [{**one, "type": "string"} if one["name"] == field else one for one in definition["fields"]]
    return json.dumps({**definition, "fields": changed})


def _without(text: str, field: str) -> dict[str, Any]:
    definition = json.loads(text)
    return {**definition, "fields": [one for one in definition["fields"] if one["name"] != field]}


def _newest_version(topic: str, settings: RegistrySettings) -> int:
    with registry_client(settings) as client:
        return int(client.get_latest_version(subject_of(topic)).version)


def scenarios() -> Iterator[Scenario]:
    yield Scenario(
        "incompatible-schema",
        "an incompatible schema",
        f"{_CHANGED} becomes text",
        incompatible,
        verify=field_is_named,
    )
    yield Scenario(
        "foreign-schema",
        "events of a schema that lacks a field",
        f"registered elsewhere, without {_LACKING}",
        foreign,
        verify=reason_is_told,
    )
