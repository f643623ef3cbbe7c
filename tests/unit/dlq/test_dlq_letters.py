"""The headers of a letter as a model: the common ones, Kafka Connect's, and what people may have mixed up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from clickpulse.dead_letters import DeadLetter
from clickpulse.dlq.letters import Letter, parse_letter

NOW = datetime(2026, 11, 22, 10, 5, 0, 250_000, tzinfo=UTC)
Parse = Callable[..., Letter]


@pytest.fixture
def parse(stored: Any) -> Parse:
    return lambda headers, body=b"bytes": parse_letter(stored((0, 12), body, b"key", tuple(headers), 1_700_000_000_123))


def connect_headers(stage: str, trace: str = "", **more: str) -> list[tuple[str, bytes]]:
    texts = {
        "topic": "events", "partition": "3", "offset": "77", "stage": stage,
        "exception.class.name": "org.apache.kafka.connect.errors.DataException",
        "exception.message": "Failed to\n  deserialize", "exception.stacktrace": trace, **more,
    }  # fmt: skip
    return [(f"__connect.errors.{name}", text.encode()) for name, text in texts.items()]


def test_what_a_door_writes_is_read_back(parse: Parse) -> None:
    written = DeadLetter(
        topic="events", partition=2, offset=7, key=b"key", value=b"bytes", headers=(("trace", b"\xff"),),
        reason="first byte is 0x68", error_class="not-wire-format", component="sink",
    )  # fmt: skip
    letter = parse(written.kafka_headers(NOW))
    assert (letter.topic, letter.origin, letter.set_aside_at) == ("events", (2, 7), NOW)
    assert (letter.reason, letter.error_class, letter.component) == ("first byte is 0x68", "not-wire-format", "sink")
    assert (letter.key, letter.value, letter.headers) == (b"key", b"bytes", (("trace", b"\xff"),))
    assert (letter.place, letter.timestamp_ms, letter.attempt, letter.unsendable) == ("0/12", 1_700_000_000_123, 0, "")


def test_letters_of_one_message_have_one_identity(stored: Any, headers_of: Any) -> None:
    def identity(place: int, offset: int | None, sent: int = 5) -> str:
        return parse_letter(stored((0, place), b"", b"", headers_of(offset), sent)).identity

    assert identity(1, 7) == identity(2, 7)
    assert len({identity(1, 7), identity(1, 8), identity(1, 7, 6), identity(1, None), identity(2, None)}) == 5


def test_a_redriven_message_keeps_its_attempts(parse: Parse, headers_of: Any) -> None:
    letter = parse(headers_of(7, redriven_from="0/3", attempt="2"))
    assert (letter.attempt, letter.redriven_from, letter.headers) == (2, "0/3", ())
    assert parse(headers_of(7, attempt="many")).attempt == 1


def test_what_was_cut_or_never_serialized_says_so(parse: Parse) -> None:
    large = DeadLetter("events", b"k", b"x" * (11 * 1024**2), "too large", "message-too-large", "producer")
    letter = parse(large.kafka_headers(NOW), large.kept)
    assert letter.original_bytes == 11 * 1024**2 > len(large.kept or b"")
    assert "bytes were kept" in letter.unsendable
    event = DeadLetter("events", b"k", b"{}", "wrong", "invalid-event", "producer", content_type="application/json")
    assert "application/json" in parse(event.kafka_headers(NOW), b"{}").unsendable


@pytest.mark.parametrize(
    ("stage", "trace", "body", "error_class"),
    [
        ("VALUE_CONVERTER", "at RuntimeException: EOF", b"\0\0\0\0\7abc", "malformed-avro"),
        ("VALUE_CONVERTER", "Caused by: …ArtifactNotFoundException: No artifact", b"\0\0\0\0\7abc", "unknown-schema"),
        ("VALUE_CONVERTER", "", b"hello, world", "not-wire-format"),
        ("VALUE_CONVERTER", "", b"", "not-wire-format"),
        ("TRANSFORMATION", "", None, "null-value"),
        ("TASK_PUT", "", b"\0\0\0\0\7abc", "refused-insert"),
    ],
)
def test_connects_headers_mean_the_same(
    parse: Parse, stage: str, trace: str, body: bytes | None, error_class: str
) -> None:
    letter = parse([("own", b"1"), *connect_headers(stage, trace)], body)
    assert (letter.topic, letter.origin, letter.component) == ("events", (3, 77), "connect")
    assert (letter.error_class, letter.reason) == (error_class, "DataException: Failed to deserialize")
    assert letter.headers == (("own", b"1"),)


def test_the_headers_written_last_describe_it(parse: Parse, headers_of: Any) -> None:
    """A letter that somebody copied back to the events' topic, and that was set aside once more."""
    assert parse([*headers_of(7), *connect_headers("TASK_PUT")]).origin == (3, 77)
    assert parse([*connect_headers("TASK_PUT"), *headers_of(7)]).origin == (2, 7)
    assert parse([*headers_of(7), *headers_of(8)]).origin == (2, 8)


def test_a_message_without_headers_is_shown_and_not_sent(parse: Parse) -> None:
    letter = parse([])
    assert (letter.error_class, letter.origin, letter.set_aside_at) == ("undescribed", None, None)
    assert letter.unsendable == "its headers name no topic"


def test_numbers_that_are_none_are_left_out(parse: Parse, headers_of: Any) -> None:
    assert parse(headers_of(7, partition="two")).origin is None
    assert parse(headers_of(7, timestamp="yesterday")).set_aside_at is None
