"""A batch is stored, its bad messages dead-lettered: in an order that a kill can't harm."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
import stamina

from clickpulse.errors import BadRecordError, TransientError
from connect.sink.batch import Batch
from connect.sink.delivery import MAX_SEGMENTS, Delivery
from connect.sink.patience import AbandonedError, Patience
from connect.sink.status import Status

HEAD = b"\x00\x00\x00\x00\x01"
OTHER_HEAD = b"\x00\x00\x00\x00\x02"


@pytest.fixture(autouse=True)
def no_waiting() -> Iterable[None]:
    # Attempts stay unlimited here: with a number, stamina would stop after it.
    stamina.set_testing(testing=True, attempts=1_000)
    yield
    stamina.set_testing(testing=False)


class FakeScreening:
    """Heads that do not begin with a zero byte are bad; bodies that contain `decode` do not decode.

    Those with `future` are too far ahead of the clock, Kafka's timestamp says so of those with `kafka`.
    """

    def __init__(self) -> None:
        self.decoded = 0
        self.registry: Callable[[], BadRecordError | None] = lambda: None

    def ahead(self, messages: Any) -> list[Any]:
        return [message for message in messages if b"kafka" in message.value()]

    def unknown_schema(self, _message: Any) -> BadRecordError | None:
        return self.registry()

    def suspects(self, messages: Any) -> list[Any]:
        return [message for message in messages if not (message.value() or b"x").startswith(b"\x00")]

    def head_fault(self, _message: Any) -> BadRecordError:
        return BadRecordError("no magic byte", "not-wire-format")

    def body_fault(self, message: Any) -> BadRecordError | None:
        self.decoded += 1
        if b"future" in message.value():
            return BadRecordError("ahead of the clock", "future-timestamp")
        return BadRecordError("does not decode", "malformed-avro") if b"decode" in message.value() else None


class Setup:
    def __init__(self, clickhouse: Any, dead_letters: Any) -> None:
        self.clickhouse = clickhouse
        self.dead_letters = dead_letters
        self.status = Status()
        self.screening = FakeScreening()
        self.delivery = Delivery(clickhouse, self.screening, dead_letters, self.status)  # type: ignore[arg-type]

    def deliver(self, messages: Iterable[Any]) -> None:
        self.delivery.deliver(Batch(list(messages)), Patience(self.status))


@pytest.fixture
def setup(clickhouse: Any, dead_letters: Any) -> Setup:
    return Setup(clickhouse, dead_letters)


def test_good_messages_are_stored(setup: Setup, messages_at: Callable[..., list[Any]]) -> None:
    places = [(0, 4), (0, 5), (0, 7), (3, 0)]
    setup.deliver(messages_at(places))
    assert setup.clickhouse.offsets == places
    assert setup.clickhouse.inserts == 1
    assert setup.dead_letters.letters == []


def test_bad_heads_are_dead_lettered_before_anything_is_stored(setup: Setup, message: Any) -> None:
    setup.dead_letters.before = lambda: setup.clickhouse.rows == [] or pytest.fail("stored first")
    setup.deliver([message((0, 1)), message((0, 2), b"garbage"), message((0, 3)), message((1, 9), None)])
    assert setup.clickhouse.offsets == [(0, 1), (0, 3)]
    assert setup.dead_letters.offsets == [(0, 2), (1, 9)]


def test_a_letter_keeps_the_message_and_says_why(setup: Setup, message: Any) -> None:
    setup.deliver([message((2, 7), b"garbage", 1_700_000_000_123)])
    letter = setup.dead_letters.letters[0]
    assert (letter.topic, letter.partition, letter.offset) == ("events", 2, 7)
    assert (letter.key, letter.value, letter.timestamp_ms) == (b"user", b"garbage", 1_700_000_000_123)
    assert (letter.reason, letter.error_class, letter.component) == ("no magic byte", "not-wire-format", "sink")
    assert letter.headers == (("source", b"test"),)


def test_what_does_not_decode_is_found_without_halving(setup: Setup, message: Any) -> None:
    setup.clickhouse.refuses = lambda value: 117 if b"decode" in value else None
    bad = {13, 14, 70}
    setup.deliver(message((0, n), HEAD + (b"decode" if n in bad else b"good")) for n in range(100))
    assert setup.dead_letters.offsets == [(0, n) for n in sorted(bad)]
    assert setup.clickhouse.offsets == [(0, n) for n in range(100) if n not in bad]
    assert setup.clickhouse.inserts == 2


def test_what_only_clickhouse_refuses_is_isolated(setup: Setup, message: Any) -> None:
    setup.clickhouse.refuses = lambda value: 407 if b"rule" in value else None
    bad = {0, 50, 51, 99}
    setup.deliver(
        message((n % 2, n), HEAD + (b"rule" if n in bad else b"good")) for n in sorted(range(100), key=lambda n: n % 2)
    )
    assert sorted(setup.dead_letters.offsets) == [(n % 2, n) for n in sorted(bad, key=lambda n: (n % 2, n))]
    assert setup.clickhouse.offsets == sorted((n % 2, n) for n in range(100) if n not in bad)
    assert {letter.error_class for letter in setup.dead_letters.letters} == {"invalid-value"}


def test_a_bad_message_is_dead_lettered_before_anything_behind_it_is_stored(setup: Setup, message: Any) -> None:
    """Otherwise a kill in between would make a restarted sink skip it."""
    setup.clickhouse.refuses = lambda value: 395 if b"rule" in value else None
    bad = {(0, 3), (0, 40), (1, 5)}
    stored_ahead: list[Any] = []

    def check() -> None:
        done = set(setup.dead_letters.offsets)
        stored_ahead.extend(
            (place, row)
            for place in bad - done
            for row in setup.clickhouse.offsets
            if row[0] == place[0] and row > place
        )

    setup.dead_letters.before = check
    setup.deliver(message((p, n), HEAD + (b"rule" if (p, n) in bad else b"good")) for p in range(2) for n in range(64))
    assert set(setup.dead_letters.offsets) == bad
    assert stored_ahead == []


def test_the_future_is_found_without_decoding_the_others(setup: Setup, message: Any) -> None:
    setup.clickhouse.refuses = lambda value: 395 if b"future" in value else None
    bad = {3, 4, 90}
    setup.deliver(message((0, n), HEAD + (b"future kafka" if n in bad else b"good")) for n in range(100))
    assert setup.dead_letters.offsets == [(0, n) for n in sorted(bad)]
    assert {letter.error_class for letter in setup.dead_letters.letters} == {"future-timestamp"}
    assert setup.clickhouse.offsets == [(0, n) for n in range(100) if n not in bad]
    assert (setup.clickhouse.inserts, setup.screening.decoded) == (2, len(bad))


def test_the_future_of_foreign_producers_is_found_as_well(setup: Setup, message: Any) -> None:
    """Their Kafka timestamps are not the events' own: suspect without a fault, or not suspect at all."""
    setup.clickhouse.refuses = lambda value: 395 if b"future" in value else None
    contents = {3: b"future", 7: b"future kafka", 8: b"kafka"}
    setup.deliver(message((0, n), HEAD + contents.get(n, b"good")) for n in range(50))
    assert setup.dead_letters.offsets == [(0, 7), (0, 3)]
    assert setup.clickhouse.offsets == [(0, n) for n in range(50) if n not in {3, 7}]


def test_a_batch_of_nothing_but_the_future(setup: Setup, message: Any) -> None:
    setup.clickhouse.refuses = lambda _: 395
    setup.deliver([message((0, 1), HEAD + b"future kafka"), message((0, 2), HEAD + b"future")])
    assert setup.dead_letters.offsets == [(0, 1), (0, 2)]
    assert setup.clickhouse.rows == []


def test_a_registry_that_says_404_of_everything_pauses(setup: Setup, message: Any) -> None:
    """As one does, or what stands before it, while it starts: the schema is known and the bytes are whole."""
    answers = [TransientError("registry: 404"), TransientError("registry: 404"), None, None]
    down = 6

    def registry() -> BadRecordError | None:
        if answers and (error := answers.pop(0)):
            raise error
        return None

    def refuse(_value: bytes) -> int | None:
        nonlocal down
        down -= 1
        return 86 if down > 0 else None

    setup.screening.registry = registry
    setup.clickhouse.refuses = refuse
    places = [(0, n) for n in range(8)]
    setup.deliver(message(place) for place in places)
    assert setup.dead_letters.letters == []
    assert setup.clickhouse.offsets == places
    assert setup.status.snapshot()["rows_total"] == 8


def test_a_schema_that_was_deleted_from_the_registry_is_dead_lettered(setup: Setup, message: Any) -> None:
    setup.screening.registry = lambda: BadRecordError("no schema with id 2", "unknown-schema")
    setup.clickhouse.refuses = lambda value: 86 if value.startswith(OTHER_HEAD) else None
    setup.deliver(message((0, n), (OTHER_HEAD if n == 3 else HEAD) + b"good") for n in range(8))
    assert [(letter.offset, letter.error_class) for letter in setup.dead_letters.letters] == [(3, "unknown-schema")]
    assert setup.clickhouse.offsets == [(0, n) for n in range(8) if n != 3]


def test_a_schema_that_does_not_fit_is_tried_once(setup: Setup, message: Any) -> None:
    setup.clickhouse.refuses = lambda value: 8 if value.startswith(OTHER_HEAD) else None
    setup.deliver(message((0, n), (OTHER_HEAD if n % 2 else HEAD) + b"good") for n in range(1000))
    assert setup.dead_letters.offsets == [(0, n) for n in range(1000) if n % 2]
    assert setup.clickhouse.offsets == [(0, n) for n in range(1000) if not n % 2]
    assert setup.clickhouse.inserts < 40
    assert {letter.error_class for letter in setup.dead_letters.letters} == {"unusable-schema"}


def test_an_outage_pauses_and_loses_nothing(setup: Setup, messages_at: Callable[..., list[Any]]) -> None:
    setup.clickhouse.outages = ["down", "down", "down"]
    places = [(0, n) for n in range(10)]
    setup.deliver(messages_at(places))
    assert setup.clickhouse.offsets == places
    assert setup.clickhouse.inserts == 4
    assert setup.status.snapshot()["paused_reason"] is None


def test_a_lost_answer_stores_nothing_twice(setup: Setup, messages_at: Callable[..., list[Any]]) -> None:
    setup.clickhouse.outages = ["down", "lost"]
    places = [(0, n) for n in range(10)] + [(1, n) for n in range(5)]
    setup.deliver(messages_at(places))
    assert setup.clickhouse.offsets == places


def test_a_lost_answer_amid_bad_messages_stores_nothing_twice(setup: Setup, message: Any) -> None:
    setup.clickhouse.refuses = lambda value: 395 if b"rule" in value else None
    setup.clickhouse.outages = ["", "", "lost", "lost", "lost", "lost"]
    setup.deliver(message((0, n), HEAD + (b"rule" if n == 21 else b"good")) for n in range(64))
    assert setup.clickhouse.offsets == [(0, n) for n in range(64) if n != 21]
    assert setup.dead_letters.offsets == [(0, 21)]


def test_dead_letters_are_tried_again(setup: Setup, message: Any) -> None:
    setup.dead_letters.outages = 3
    setup.deliver([message((0, 1), b"garbage"), message((0, 2))])
    assert setup.dead_letters.offsets == [(0, 1)]


def test_many_gaps_are_inserted_in_parts(setup: Setup, messages_at: Callable[..., list[Any]]) -> None:
    places = [(0, 2 * n) for n in range(3 * MAX_SEGMENTS)]
    setup.deliver(messages_at(places))
    assert setup.clickhouse.offsets == places
    assert setup.clickhouse.inserts == 4


def test_many_gaps_and_a_bad_message_store_nothing_twice(setup: Setup, message: Any) -> None:
    setup.clickhouse.refuses = lambda value: 395 if b"rule" in value else None
    bad = 2 * 2 * MAX_SEGMENTS
    setup.deliver(message((0, 2 * n), HEAD + (b"rule" if 2 * n == bad else b"good")) for n in range(3 * MAX_SEGMENTS))
    assert setup.clickhouse.offsets == [(0, 2 * n) for n in range(3 * MAX_SEGMENTS) if 2 * n != bad]
    assert setup.dead_letters.offsets == [(0, bad)]


def test_called_off_it_says_so(setup: Setup, messages_at: Callable[..., list[Any]]) -> None:
    patience = Patience(setup.status)
    patience.call_off()
    with pytest.raises(AbandonedError):
        setup.delivery.deliver(Batch(messages_at([(0, 1)])), patience)
