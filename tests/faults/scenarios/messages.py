"""Messages that are twice there, late, out of order, from the future, too large, or no events at all."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from confluent_kafka import KafkaException

from clickpulse.clients import clickhouse_client, kafka_producer
from clickpulse.settings import ClickHouseSettings, KafkaSettings, ProducerSettings
from clickpulse.windows import MinuteWindow
from producer.delivery import Delivery
from producer.interaction import Interaction
from producer.wire import HEADER_BYTES
from tests.faults import reports
from tests.faults.events import encoder, events_at, now_ms, send_events, window_of
from tests.faults.observing import REFUSAL_LENGTH, shortened
from tests.faults.scenario import Course, Lab, Scenario
from tests.faults.topics import Letter, send_raw
from tests.support import wait_for

COUNT = 40
REPORT_SECONDS = 240
REVISION_SECONDS = 300
BEYOND_HORIZON_MS = 90 * 60_000
FAR_FUTURE_MS = 30 * 60_000
REFUSED_FUTURE_MS = 120 * 60_000
"""Further ahead than Kafka itself allows, an hour."""
NEAR_FUTURE_MS = 15_000
UNKNOWN_SCHEMA = b"\x00\x7f\xff\xff\xf0"


@contextmanager
def duplicates(lab: Lab, course: Course) -> Iterator[None]:
    """The same events twice at once, and a third time after their minute was reported."""
    began = now_ms()
    events = events_at([began + number for number in range(COUNT)])
    send_events(lab, course, events, reported=True)
    send_events(lab, course, events, reported=False)
    window = window_of(events[-1].event_timestamp)
    wait_for(lambda: reports.fetch_report(window), seconds=REPORT_SECONDS, what=f"the report of {window}")
    send_events(lab, course, events, reported=False)
    course.note(f"{COUNT} events three times, the last time after their report")
    yield


@contextmanager
def late(lab: Lab, course: Course) -> Iterator[None]:
    """Events of a minute that is reported already make a new revision."""
    window = reported_window()
    before = reports.fetch_report(window)
    assert before is not None
    send_events(lab, course, events_at(_within(window)), reported=True)
    sent = time.monotonic()

    def revised() -> reports.Counted | None:
        found = reports.fetch_report(window)
        return found if found and found.revision > before.revision else None

    after = wait_for(revised, seconds=REVISION_SECONDS, what=f"a new revision of {window}")
    course.note(f"revision {after.revision} of a reported minute after {time.monotonic() - sent:.0f} s")
    yield


def revision_is_explained(_lab: Lab, course: Course, _letters: list[Letter]) -> Iterable[str]:
    """The new revision says why, and the older one can still be read."""
    for window in sorted(course.also_reported):
        newest = reports.read(f"/api/v1/reports/{window}")
        if newest is None or not newest["revision"]:
            continue
        if not newest.get("revision_reason"):
            yield f"revision {newest['revision']} of {window} gives no reason"
        if not newest.get("changes"):
            yield f"revision {newest['revision']} of {window} does not say what changed"
        if reports.read(f"/api/v1/reports/{window}?revision={newest['revision'] - 1}") is None:
            yield f"the revision before {newest['revision']} of {window} can't be read any more"


@contextmanager
def beyond_horizon(lab: Lab, course: Course) -> Iterator[None]:
    """Too late for any report: counted and kept in the late ledger."""
    window = window_of(now_ms() - BEYOND_HORIZON_MS)
    send_events(lab, course, events_at(_within(window)), reported=False)
    course.unreported.add(window)
    wait_for(
        lambda: _in_late_ledger(window) >= COUNT, seconds=REVISION_SECONDS, what=f"{COUNT} late events of {window}"
    )
    course.note(f"{COUNT} events in the late ledger")
    yield


def ledger_is_exact(_lab: Lab, course: Course, _letters: list[Letter]) -> Iterable[str]:
    for window in course.unreported:
        if (found := _in_late_ledger(window)) != COUNT:
            yield f"the late ledger has {found} events of {window}, {COUNT} came too late"


def _in_late_ledger(window: MinuteWindow) -> int:
    client = clickhouse_client(ClickHouseSettings.load(), reader=True)
    try:
        query = "SELECT count() FROM late_ledger FINAL WHERE minute = {minute:DateTime('UTC')}"
        return int(client.query(query, parameters={"minute": window.start}).result_rows[0][0])
    finally:
        client.close()


@contextmanager
def out_of_order(lab: Lab, course: Course) -> Iterator[None]:
    """One user's events, the newest first, over the last 45 seconds: some of a minute that is reported."""
    now = now_ms()
    step = 45_000 // COUNT
    send_events(
        lab, course, events_at([now - number * step for number in range(COUNT)], str(uuid.uuid4())), reported=True
    )
    course.note(f"{COUNT} events in one partition, each older than the one before")
    yield


@contextmanager
def future(lab: Lab, course: Course) -> Iterator[None]:
    """A clock that is seconds ahead is nothing; further ahead the sink sets events aside, or Kafka refuses them."""
    send_events(lab, course, events_at([now_ms() + NEAR_FUTURE_MS] * COUNT), reported=True)
    send_events(lab, course, events_at([now_ms() + FAR_FUTURE_MS] * COUNT), reported=False)
    delivery = Delivery(KafkaSettings.load_for("producer"), ProducerSettings.load(), encoder())
    for event in events_at([now_ms() + REFUSED_FUTURE_MS] * COUNT):
        delivery.send(event)
    delivery.flush()
    assert (delivery.dead_lettered, delivery.failed) == (COUNT, 0)
    course.letters["future-timestamp"] += 2 * COUNT
    course.note(
        f"{COUNT} events half an hour ahead set aside by the sink, {COUNT} two hours ahead by the producer; "
        f"{COUNT} of {NEAR_FUTURE_MS // 1000} s ahead counted"
    )
    yield


@contextmanager
def oversized(lab: Lab, course: Course) -> Iterator[None]:
    """The producer sets it aside; who writes past the producer is refused by Kafka."""
    kafka, settings = KafkaSettings.load_for("producer"), ProducerSettings.load()
    large = events_at([now_ms()])[0]._replace(
        event_type="VIEW_PRODUCT", product_id="p" * (settings.max_event_bytes + 1)
    )
    delivery = Delivery(kafka, settings, encoder())
    delivery.send(large)
    delivery.flush()
    assert (delivery.dead_lettered, delivery.failed) == (1, 0)
    course.letters["message-too-large"] += 1
    course.refused.append(f"Kafka: {_refusal_of(kafka, b'x' * 4_000_000)}")
    del lab
    yield


def _refusal_of(kafka: KafkaSettings, value: bytes) -> str:
    """What Kafka, or its client, says to a message that it must not take."""
    errors: list[str] = []
    producer = kafka_producer(kafka, message_max_bytes=10_000_000, compression_type="none")
    try:
        producer.produce(kafka.topic, value, on_delivery=lambda error, _message: errors.append(str(error)))
    except KafkaException as error:
        errors.append(str(error))
    producer.flush(30)
    assert errors, "Kafka did not answer"
    assert errors != ["None"], "Kafka took a message that is too large"
    return errors[0]


@contextmanager
def garbage(lab: Lab, course: Course) -> Iterator[None]:
    """Between good events, in one partition: nothing, no wire format, an unknown schema, broken Avro, wrong values."""
    now, encode = now_ms(), encoder().encode
    good = events_at([now] * (COUNT + 1), str(uuid.uuid4()))
    values = [encode(event) for event in good]
    bad = bad_values(good[0], values[0])
    messages: list[tuple[bytes | None, bytes | None, int, int]] = []
    for number, value in enumerate(values):
        messages.append((good[0].user_id.encode(), value, now, -1))
        if number < len(bad):
            messages.append((good[0].user_id.encode(), bad[number][1], now, -1))
    send_raw(messages)
    course.letters.update(Counter(error_class for error_class, _ in bad))
    lab.ledger.note(window_of(now), acknowledged=len(messages), reported=len(good))
    course.also_reported.add(window_of(now))
    course.note(f"{len(bad)} kinds between {len(good)} good events of one partition")
    yield


def bad_values(event: Interaction, value: bytes) -> list[tuple[str, bytes | None]]:
    """What no reader can use, by the error class that it has to get."""
    no_uuid = value.replace(event.session_id.encode(), b"x" * len(event.session_id))
    return [
        ("null-value", None),
        ("not-wire-format", b""),
        ("not-wire-format", b"\x01"),
        ("not-wire-format", b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"),
        ("unknown-schema", UNKNOWN_SCHEMA + value[HEADER_BYTES:]),
        ("malformed-avro", value[: len(value) // 2]),
        ("malformed-avro", value + b"and more"),
        ("malformed-avro", value[:HEADER_BYTES] + b"\xff" * 40),
        ("invalid-value", no_uuid),
    ]


def reasons_are_told(_lab: Lab, course: Course, letters: list[Letter]) -> Iterable[str]:
    """For the table: the reason of one letter of each class."""
    for error_class in sorted(course.letters):
        reason = next((letter.reason for letter in letters if letter.error_class == error_class), "")
        course.refused.append(f"{error_class}: {shortened(reason, REFUSAL_LENGTH)}")
    return ()


def reported_window() -> MinuteWindow:
    """The newest minute that has a complete report."""
    window = reports.newest_reported(datetime.now(UTC))
    assert window is not None, f"none of the last {reports.RECENT_MINUTES} minutes has a complete report"
    return window


def _within(window: MinuteWindow) -> list[int]:
    return [window.end_ms - 30_000 + number for number in range(COUNT)]


def scenarios() -> Iterator[Scenario]:
    yield Scenario("duplicates", "duplicate events", "the same event ids again", duplicates)
    yield Scenario(
        "late", "late events", "events of a minute that is reported already", late, verify=revision_is_explained
    )
    yield Scenario(
        "beyond-horizon", "events beyond the horizon", "90 minutes late", beyond_horizon, verify=ledger_is_exact
    )
    yield Scenario("out-of-order", "events out of order", "newest first, across a minute's border", out_of_order)
    yield Scenario("future", "events from the future", "producers with a wrong clock", future, verify=reasons_are_told)
    yield Scenario("oversized", "oversized messages", "over 1 MB and over 4 MB", oversized, verify=reasons_are_told)
    yield Scenario("garbage", "garbage messages", "what no reader can use", garbage, verify=reasons_are_told)
