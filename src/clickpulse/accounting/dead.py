"""Reads the dead-letter topic: which messages are there, in whichever form they were described."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clickpulse.accounting.columns import MINUTE_MS, Ints
from clickpulse.accounting.kafka import TopicReader
from clickpulse.dead_letters import connect_topic
from clickpulse.dlq.letters import parse_letter

if TYPE_CHECKING:
    from clickpulse.settings import KafkaSettings


@dataclass(frozen=True)
class Letters:
    """`places` are the offsets of dead-lettered messages by partition of the events' topic.

    `refused` are letters of the range that never were in it, `dropped` whether Kafka has removed the oldest letters.
    """

    places: dict[int, Ints]
    refused: int
    dropped: bool


class DeadLetters:
    """The dead-letter topic, and the one that Kafka Connect's letters wait in until they are brought there."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._events = kafka.topic
        self._readers = [
            TopicReader(kafka, kafka.dead_letter_topic),
            TopicReader(kafka, connect_topic(kafka.dead_letter_topic)),
        ]

    def close(self) -> None:
        for reader in self._readers:
            reader.close()

    def read(self, first_minute: int, end_minute: int) -> Letters:
        """All letters; those refused by producers only where their time is in the range, in minutes of the epoch.

        Raises:
            TransientError: Kafka does not answer.
        """
        offsets: dict[int, list[int]] = {}
        refused = 0
        dropped = False
        for reader in self._readers:
            bounds = reader.bounds()
            dropped |= any(low > 0 for low, _ in bounds.values())
            for chunk in reader.read(bounds):
                for letter in map(parse_letter, chunk.messages):
                    if letter.topic != self._events:
                        continue
                    if letter.origin is not None:
                        offsets.setdefault(letter.origin[0], []).append(letter.origin[1])
                    elif letter.timestamp_ms is not None:
                        refused += first_minute <= letter.timestamp_ms // MINUTE_MS < end_minute
        return Letters({partition: np.array(found) for partition, found in offsets.items()}, refused, dropped)
