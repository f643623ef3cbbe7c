"""Events a second of one producer process, and rows a second of one sink."""

from __future__ import annotations

from collections.abc import Callable

from bench.bulk import encoder_for, pregenerate, send
from bench.measurements import Figure
from bench.scratch import scratch
from clickpulse.windows import MinuteWindow

EVENTS = 1_000_000
_WINDOW = MinuteWindow.parse("2026-01-01T00:00Z")


def measure(say: Callable[[str], None]) -> list[Figure]:
    """Send `EVENTS` pre-generated events to a topic of their own, then let a fresh sink store them."""
    with scratch() as own:
        encoder = encoder_for(own.kafka)
        say(f"making {EVENTS:,} events")
        events = pregenerate(_WINDOW, EVENTS, encoder)
        say("producer: sending them")
        seconds = send(own.kafka, encoder, events)
        say("sink: storing them")
        seen = own.drain(len(events))
    (began, first), (ended, last) = seen[0], seen[-1]
    stored = (last - first) / (ended - began)  # from the first rows seen: the sink's start does not count
    note = f"{len(events):,} events, one process"
    return [
        Figure("throughput", "producer, acknowledged", len(events) / seconds, "events/s", "above 100,000", note),
        Figure("throughput", "sink, Kafka to ClickHouse", stored, "rows/s", "above 100,000", note),
    ]
