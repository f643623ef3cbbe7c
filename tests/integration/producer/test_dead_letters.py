"""What the producer itself can't send, as long as the account lists it, is in the dead-letter topic."""

import json
import re
import uuid
from datetime import UTC, datetime

from broker.topics import DEAD_LETTER_MAX_BYTES, ensure_topics
from clickpulse.settings import ProducerSettings
from producer.delivery import Delivery
from producer.interaction import Interaction
from producer.wire import Encoder, read_schema


def an_event(**changes) -> Interaction:
    ids = [str(uuid.uuid4()) for _ in range(3)]
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    return Interaction(*ids, "VIEW_PRODUCT", now_ms, 35, "SUCCESS", None, "P-1")._replace(**changes)


def deliver(own_topics, *events: Interaction, **settings: int) -> Delivery:
    ensure_topics(own_topics.kafka, timeout_seconds=20)
    delivery = Delivery(own_topics.kafka, ProducerSettings.load(**settings), Encoder(read_schema(), 1))
    for event in events:
        delivery.send(event)
    delivery.flush()
    assert delivery.generated == len(events)
    assert delivery.outstanding == 0
    return delivery


def test_what_cannot_be_serialized_is_kept_as_json_with_the_reason(own_topics):
    wrong = an_event(request_latency_ms=-5)
    delivery = deliver(own_topics, an_event(), wrong, an_event())
    assert (delivery.tallies.acknowledged, delivery.dead_lettered, delivery.failed) == (2, 1, 0)
    assert len(own_topics.events()) == 2
    (letter,) = own_topics.dead_letters()
    assert json.loads(letter.value) == wrong._asdict()
    assert letter.key.decode() == wrong.user_id
    assert letter.headers["dlq.reason"] == "request_latency_ms -5 is not a whole number from 0 to 2147483647"
    assert letter.headers["dlq.error_class"] == "invalid-event"


def test_what_the_broker_refuses_is_dead_lettered_as_well(own_topics):
    """The client allows more than the topic: the broker says no in the delivery report."""
    large = an_event(product_id="p" * 2_000_000)
    delivery = deliver(own_topics, large, compression="none", max_event_bytes=5_000_000)
    assert (delivery.tallies.acknowledged, delivery.dead_lettered, delivery.failed) == (0, 1, 0)
    (letter,) = own_topics.dead_letters()
    assert large.product_id.encode() in letter.value
    assert letter.headers["dlq.error_class"] == "message-too-large"
    assert abs(letter.timestamp_ms - large.event_timestamp) < 60_000


def test_a_clock_far_ahead_of_the_brokers_is_the_reason_of_what_kafka_refuses(own_topics):
    ahead = an_event(event_timestamp=int(datetime.now(UTC).timestamp() * 1000) + 2 * 3_600_000)
    delivery = deliver(own_topics, ahead)
    assert (delivery.tallies.acknowledged, delivery.dead_lettered, delivery.failed) == (0, 1, 0)
    (letter,) = own_topics.dead_letters()
    assert letter.headers["dlq.error_class"] == "future-timestamp"
    assert "compare both clocks" in letter.headers["dlq.reason"]


def test_of_what_is_too_large_even_for_the_dead_letter_topic_the_start_is_kept(own_topics):
    delivery = deliver(own_topics, an_event(product_id="p" * (DEAD_LETTER_MAX_BYTES + 1)))
    assert (delivery.dead_lettered, delivery.failed) == (1, 0)
    (letter,) = own_topics.dead_letters()
    assert 9_000_000 < len(letter.value) < DEAD_LETTER_MAX_BYTES
    kept, whole = map(int, re.search(r"the first (\d+) of its (\d+) bytes", letter.headers["dlq.reason"]).groups())
    assert kept == len(letter.value)
    assert whole > DEAD_LETTER_MAX_BYTES


def test_a_full_buffer_waits_instead_of_losing_events(own_topics):
    delivery = deliver(own_topics, *(an_event() for _ in range(5000)), max_buffered_events=100)
    assert delivery.tallies.acknowledged == 5000
    assert len(own_topics.events()) == 5000
