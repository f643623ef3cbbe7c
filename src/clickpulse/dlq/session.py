"""What the commands read: the letters, the markers, the schemas. Opened for one command, closed at its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import cached_property
from typing import Any, Self

import httpx

from clickpulse.dead_letters import redriven_topic
from clickpulse.dlq.catalog import Catalog
from clickpulse.dlq.letters import Letter, parse_letter
from clickpulse.dlq.markers import Marker, read_markers
from clickpulse.dlq.payload import Payload, decode
from clickpulse.dlq.reading import TopicReader
from clickpulse.errors import TransientError
from clickpulse.settings import KafkaSettings, Principal, RegistrySettings
from connect.sink.schemas import SchemaCache
from producer.progress import Display

_SHOW_EVERY = 500
_REGISTRY_SECONDS = 5


class Session:
    """Connects when it is first asked.

    Args:
        quiet: no progress is shown.
        principal: the Kafka user that reads.
    """

    def __init__(self, *, quiet: bool, principal: Principal = "viewer") -> None:
        self.kafka = KafkaSettings.load_for(principal)
        self.topic = self.kafka.dead_letter_topic
        self.marker_topic = redriven_topic(self.topic)
        self.display = Display(wanted=not quiet)
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self._open.enter_context(self.display)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @cached_property
    def reader(self) -> TopicReader:
        reader = TopicReader(self.kafka)
        self._open.callback(reader.close)
        return reader

    @cached_property
    def schemas(self) -> SchemaCache:
        http = httpx.Client(base_url=RegistrySettings.load().url, timeout=_REGISTRY_SECONDS)
        return SchemaCache(self._open.enter_context(http))

    def letters(self) -> Iterator[Letter]:
        """All letters up to the topic's end at the call."""
        ends = self.reader.ends(self.topic)
        self.display.stage("reading dead letters", total=sum(ends.values()))
        for number, message in enumerate(self.reader.read(self.topic, ends=ends), start=1):
            if number % _SHOW_EVERY == 0:
                self.display.update(number)
            yield parse_letter(message)

    def letter_at(self, partition: int, offset: int) -> list[Letter]:
        """The letter of this place, if there is one."""
        found = self.reader.read(self.topic, {partition: offset}, {partition: offset + 1})
        return [parse_letter(message) for message in found]

    def catalog(self) -> Catalog:
        return Catalog(self.letters())

    def markers(self) -> dict[str, Marker]:
        """What was redriven, by the messages' identities; nothing where no topic remembers it."""
        return read_markers(self.reader, self.marker_topic)

    def payload(self, letter: Letter) -> Payload:
        """The letter's payload; what needs a registry that does not answer is left undecoded, with a word on it."""
        try:
            return decode(letter.value, self.schema_of)
        except TransientError as error:
            return Payload("bytes", fault=str(error))

    def schema_of(self, schema_id: int) -> Any | None:
        return self.schemas.get(schema_id)
