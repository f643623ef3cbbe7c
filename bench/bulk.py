"""Events of one minute, made and serialized beforehand, sent to a topic of the benchmark's own."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import takewhile

from clickpulse.settings import KafkaSettings, ProducerSettings, RegistrySettings
from clickpulse.windows import MinuteWindow
from producer.delivery import Delivery
from producer.registry import register
from producer.simulator import Simulator
from producer.wire import Encoder, read_schema

_MINUTE_MS = 60_000


@dataclass(frozen=True)
class Serialized:
    """An event as `Delivery.send_encoded` takes it."""

    event_type: str
    timestamp_ms: int
    key: bytes
    value: bytes


def pregenerate(window: MinuteWindow, count: int, encoder: Encoder) -> list[Serialized]:
    """About `count` events of `window` by the simulator, in the order of their times."""
    start_ms = int(window.start.timestamp() * 1000)
    simulator = Simulator(count / 60, start_ms, seed=count, flat=True)
    within = takewhile(lambda timed: timed[0] < _MINUTE_MS, simulator.events())
    return [
        Serialized(event.event_type, event.event_timestamp, event.user_id.encode(), encoder.encode(event))
        for _, event in within
    ]


def encoder_for(kafka: KafkaSettings) -> Encoder:
    """Register the schema for the topic and return its encoder."""
    schema = read_schema()
    return Encoder(schema, register(schema, kafka.topic, RegistrySettings.load(), timeout_seconds=30))


def send(kafka: KafkaSettings, encoder: Encoder, events: list[Serialized]) -> float:
    """Send `events` with the producer's own delivery; returns the seconds until Kafka had acknowledged all."""
    delivery = Delivery(kafka, ProducerSettings.load(), encoder)
    began = time.perf_counter()
    for event in events:
        delivery.send_encoded(event.event_type, event.timestamp_ms, event.key, event.value)
    delivery.flush()
    seconds = time.perf_counter() - began
    if delivery.failed or delivery.dead_lettered:
        raise RuntimeError(f"{delivery.failed} events failed, {delivery.dead_lettered} were dead-lettered")
    return seconds
