"""Simulated traffic against a real Kafka and registry: what the account says is what is there."""

import json
import signal
from collections import Counter
from datetime import datetime
from itertools import pairwise


def minute_of(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%MZ")


def test_the_account_is_what_a_consumer_counts(own_topics, tmp_path):
    kept = tmp_path / "summary.json"
    account = own_topics.account(
        "simulate", "--rate", "400", "--duration", "4", "--flat", "--seed", "7", "--summary", kept
    )
    received = own_topics.events()
    events = [message.event for message in received]

    assert account["generated"] == account["acknowledged"] == len(events) == 1600
    assert account["dead_lettered"] == account["failed"] == account["outstanding"] == 0
    assert {name: count for name, count in account["by_event_type"].items() if count} == Counter(
        event["event_type"] for event in events
    )
    assert account["acknowledged_per_minute"] == Counter(minute_of(event["event_timestamp"]) for event in events)
    assert account["acknowledged_per_minute_by_event_type"] == {
        minute: Counter(e["event_type"] for e in events if minute_of(e["event_timestamp"]) == minute)
        for minute in account["acknowledged_per_minute"]
    }
    assert len({event["event_id"] for event in events}) == 1600
    assert account["finished"]
    stored = json.loads(kept.read_text())
    assert stored | {"updated_at": ""} == account | {"updated_at": ""}


def test_messages_keep_the_contract(own_topics):
    own_topics.account("simulate", "--rate", "500", "--duration", "3", "--seed", "7")
    received = own_topics.events()
    partitions = {}
    for message in received:
        assert message.key.decode() == str(message.event["user_id"])
        assert message.timestamp_ms == round(message.event["event_timestamp"].timestamp() * 1000)
        assert message.value[0] == 0
        partitions.setdefault(message.key, set()).add(message.partition)
    assert {message.partition for message in received} == set(range(6))
    assert all(len(numbers) == 1 for numbers in partitions.values())
    for partition in range(6):
        times = [message.timestamp_ms for message in received if message.partition == partition]
        assert all(before <= after for before, after in pairwise(times))


def test_sigterm_delivers_everything_and_ends_well(own_topics, tmp_path, wait_until):
    kept = tmp_path / "summary.json"
    process = own_topics.start("simulate", "--rate", "2000", "--json", "--summary", str(kept))
    try:

        def some_are_acknowledged() -> bool:
            return kept.exists() and json.loads(kept.read_text())["acknowledged"] > 1000

        wait_until(some_are_acknowledged, "a thousand events are acknowledged")
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    account = json.loads(output)
    assert account["generated"] == account["acknowledged"] == len(own_topics.events()) > 1000
    assert account["outstanding"] == 0


def test_a_killed_producer_leaves_an_account_that_claims_too_little_never_too_much(own_topics, tmp_path, wait_until):
    kept = tmp_path / "summary.json"
    process = own_topics.start("simulate", "--rate", "2000", "--quiet", "--summary", str(kept))
    try:
        wait_until(lambda: kept.exists() and json.loads(kept.read_text())["acknowledged"] > 1000, "a thousand events")
    finally:
        process.kill()
        process.communicate(timeout=30)
    account = json.loads(kept.read_text())
    assert not account["finished"]
    assert 1000 < account["acknowledged"] <= len(own_topics.events())


def test_an_incident_reaches_kafka(own_topics):
    own_topics.account(
        *("simulate", "--rate", "800", "--duration", "3", "--seed", "1", "--flat"),
        *("--incident", "SEARCH:errors:0.5:0..1", "--incident", "VIEW_PRODUCT:latency:x20:0..1"),
    )
    events = [message.event for message in own_topics.events()]
    searches = [event for event in events if event["event_type"] == "SEARCH"]
    views = [event["request_latency_ms"] for event in events if event["event_type"] == "VIEW_PRODUCT"]
    assert 0.4 < sum(event["status"] == "ERROR" for event in searches) / len(searches) < 0.6
    assert sorted(views)[len(views) // 2] > 600
    assert all((event["error_code"] is not None) == (event["status"] == "ERROR") for event in events)


def test_a_wrong_incident_is_told_before_anything_happens(own_topics):
    status, output, errors = own_topics.run("simulate", "--rate", "10", "--incident", "PAYMENT:errors:lots:2..5")
    assert (status, output) == (1, "")
    assert "'lots'" in errors
    assert "Traceback" not in errors
