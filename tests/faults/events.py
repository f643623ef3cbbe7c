"""Events made by hand, so that a test knows each by its id and decides what is wrong with it."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from bench.bulk import encoder_for
from clickpulse.settings import KafkaSettings
from clickpulse.windows import MinuteWindow
from producer.interaction import Interaction
from producer.tally import MINUTE_MS
from producer.wire import Encoder
from tests.faults.scenario import Course, Lab
from tests.faults.topics import send_raw


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return int(time.time() * 1000)


def events_at(timestamps_ms: Sequence[int], user_id: str | None = None) -> list[Interaction]:
    """An event at each of these times, of one user where one is named: they share a partition."""
    return [
        Interaction(
            event_id=str(uuid.uuid4()),
            user_id=user_id or str(uuid.uuid4()),
            session_id=str(uuid.uuid4()),
            event_type="SEARCH",
            event_timestamp=timestamp,
            request_latency_ms=40,
            status="SUCCESS",
            error_code=None,
            product_id=None,
        )
        for timestamp in timestamps_ms
    ]


def encoder() -> Encoder:
    return encoder_for(KafkaSettings.load_for("producer"))


def send_events(lab: Lab, course: Course, events: Sequence[Interaction], *, reported: bool) -> list[tuple[int, int]]:
    """Write them, enter them into the ledger, and return partition and offset of each.

    `reported`: a report has to count them, each once; otherwise they are copies, or not wanted.
    """
    encode = encoder().encode
    places = send_raw([(event.user_id.encode(), encode(event), event.event_timestamp, -1) for event in events])
    for window, count in by_minute(event.event_timestamp for event in events).items():
        lab.ledger.note(window, acknowledged=count, reported=count if reported else 0)
        if reported:
            course.also_reported.add(window)
    return places


def by_minute(timestamps_ms: Iterable[int]) -> Counter[MinuteWindow]:
    return Counter(window_of(timestamp) for timestamp in timestamps_ms)


def window_of(timestamp_ms: int) -> MinuteWindow:
    return MinuteWindow(datetime.fromtimestamp(timestamp_ms // MINUTE_MS * 60, UTC))
