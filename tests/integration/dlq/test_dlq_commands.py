"""`clickpulse dlq` on real Kafka and registry, held against what an independent reader finds in the topics."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from clickpulse.dead_letters import redriven_topic
from clickpulse.dlq.catalog import Selection
from clickpulse.dlq.lock import RedriveLock
from clickpulse.dlq.redrive import as_it_was
from clickpulse.dlq.redriving import Request, run_redrive
from clickpulse.dlq.sending import Outgoing, Sender, Sent
from clickpulse.dlq.session import Session
from clickpulse.settings import ProducerSettings
from producer.delivery import Delivery
from producer.interaction import Interaction
from producer.wire import Encoder, read_schema

NOW_MS = int(time.time() * 1000) - 60_000
MAPPING = """
name: fixed
fields:
  user_id: {uuid5: [user]}
  session_id: {uuid5: [user, visit]}
  event_type: {column: action, map: {find: SEARCH}}
  event_timestamp: {column: at, unit: ms}
  request_latency_ms: {column: took}
  status: {constant: SUCCESS}
"""


def header(message: Any, name: str) -> str | None:
    value = dict(message.headers).get(name)
    return None if value is None else value.decode()


def test_groups_are_what_is_in_the_topic(desk: Any, wire: Any) -> None:
    messages = desk.refused(b"garbage", b"more garbage", timestamp_ms=NOW_MS, error_class="not-wire-format")
    desk.set_aside(messages[0], error_class="not-wire-format")  # the sink was killed in between
    desk.refused(wire(wire.event())[:-3], timestamp_ms=NOW_MS)
    delivery = Delivery(desk.kafka, ProducerSettings.load(max_event_bytes=300), Encoder(read_schema(), wire.schema_id))
    for changes in ({"request_latency_ms": -5}, {"event_type": "VIEW_PRODUCT", "product_id": "p" * 400}):
        delivery.send(Interaction(**wire.event(**changes)))
    delivery.flush()

    document = desk.json("list")
    groups = {(group["error_class"], group["component"]): group for group in document["groups"]}
    counted = {kind: (group["messages"], group["letters"]) for kind, group in groups.items()}
    assert counted == {
        ("not-wire-format", "sink"): (2, 3),
        ("malformed-avro", "sink"): (1, 1),
        ("invalid-event", "producer"): (1, 1),
        ("message-too-large", "producer"): (1, 1),
    }
    assert sum(group["letters"] for group in document["groups"]) == len(desk.letters())
    assert desk.json_of_program("list") == document
    assert document["messages"] == 5
    times = [header(letter, "dlq.timestamp") for letter in desk.letters()[:3]]
    first, last = (datetime.fromisoformat(groups["not-wire-format", "sink"][name]) for name in ("first_at", "last_at"))
    assert (first, last) == (datetime.fromisoformat(times[0]), datetime.fromisoformat(times[2]))

    assert desk.json("list", "--component", "producer")["messages"] == 2
    assert desk.json("list", "--reason", "malformed-avro")["messages"] == 1
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert desk.json("list", "--since", later)["groups"] == []
    assert desk.json("list", "--since", "10m")["messages"] == 5
    lines = desk.run("list").splitlines()
    row = next(number for number, line in enumerate(lines) if line.startswith("not-wire-format"))
    assert lines[row].split()[:4] == ["not-wire-format", "2", "0", "0"]
    assert lines[row + 1].split()[:4] == ["sink", "in", "3", "letters"]
    assert "no letters of class typo" in desk.run("list", "--reason", "typo")
    assert "there are invalid-event, malformed-avro" in desk.run("list", "--reason", "typo")


def test_payloads_are_decoded_as_far_as_possible(desk: Any, wire: Any) -> None:
    event = wire.event(user_id="someone")
    whole = wire(event)
    cut = whole[: 5 + 37 + 8 + 10]
    messages = desk.refused(whole, cut, b'{"a": [1]}', b"\x1b[31mred\xff", None, timestamp_ms=NOW_MS)
    shown = {one["letter"]: one for one in desk.json("show", "--limit", "10")}
    assert list(shown) == [f"0/{offset}" for offset in range(5)]
    payloads = {message.value: one["payload"] for message, one in zip(messages, shown.values(), strict=True)}
    assert payloads[whole]["content"] == event
    assert payloads[whole]["complete"]
    assert payloads[cut]["content"] == {"event_id": event["event_id"], "user_id": "someone"}
    assert payloads[cut]["fault"].startswith("field session_id")
    assert payloads[cut]["hex"] == cut.hex()
    assert payloads[b'{"a": [1]}']["content"] == {"a": [1]}
    assert payloads[b"\x1b[31mred\xff"]["kind"] == "bytes"
    assert payloads[None]["kind"] == "none"

    (one,) = desk.json("show", "0/1")
    origin = messages[1]
    assert (one["partition"], one["offset"]) == origin.place
    assert (one["timestamp_ms"], one["key"], one["headers"]) == (NOW_MS, "user", [["trace", "t-1"]])
    assert one["reason"] == f"fault of {origin.place}"
    text = desk.run("show", "0/3")
    assert "\x1b" not in text
    assert "0000  1b 5b 33 31 6d 72 65 64 ff " in text
    assert ".[31mred." in text
    assert "there is no letter 0/99" in desk.run("show", "0/99", status=1)
    assert "write PARTITION/OFFSET" in desk.run("show", "newest", status=1)


def test_without_the_registry_letters_are_shown_all_the_same(
    desk: Any, wire: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.refused(wire(wire.event()), timestamp_ms=NOW_MS)
    monkeypatch.setenv("SCHEMA_REGISTRY_URL", "http://127.0.0.1:1/apis/ccompat/v7")
    (one,) = desk.json("show")
    assert "Schema Registry" in one["payload"]["fault"]
    assert one["payload"]["hex"] == desk.letters()[0].value.hex()


def test_a_redrive_sends_the_originals_once(desk: Any) -> None:
    originals = desk.refused(b"one", b"two", None, timestamp_ms=NOW_MS)
    desk.set_aside(originals[1])
    before = desk.events()
    report = desk.json("redrive")
    assert (report["matching"], report["redriven"], report["problems"]) == (3, 3, [])
    sent = [message for message in desk.events() if message not in before]
    assert sorted((m.key, m.value or b"", m.timestamp_ms) for m in sent) == sorted(
        (m.key, m.value or b"", m.timestamp_ms) for m in originals
    )
    assert sorted(header(message, "dlq.redriven_from") for message in sent) == ["0/0", "0/1", "0/2"]
    assert all(message.headers[0] == ("trace", b"t-1") for message in sent)
    ends = desk.ends()
    again = desk.json("redrive")
    assert (again["redriven"], again["already_redriven"]) == (0, 3)
    assert desk.ends() == ends
    (group,) = desk.json("list")["groups"]
    assert (group["messages"], group["redriven"], group["came_back"]) == (3, 3, 0)
    (shown,) = desk.json("show", "0/0")
    place = tuple(shown["redriven"]["sent_to"])
    assert next(message.value for message in sent if message.place == place) == b"one"


def test_a_dry_run_changes_nothing(desk: Any, tmp_path: Path) -> None:
    desk.refused(b"one", b'{"user": "ada"}', timestamp_ms=NOW_MS)
    (tmp_path / "mapping.yaml").write_text(MAPPING)
    before = desk.ends()
    assert desk.json("redrive", "--dry-run")["redriven"] == 2
    mapped = desk.json("redrive", "--dry-run", "--mapping", tmp_path / "mapping.yaml", status=1)
    assert (mapped["redriven"], len(mapped["problems"])) == (0, 2)
    assert "would be redriven" in desk.run("redrive", "--dry-run", "--limit", "1")
    assert desk.ends() == before


def test_what_comes_back_is_not_sent_in_a_loop(desk: Any) -> None:
    desk.refused(b"hopeless", timestamp_ms=NOW_MS)
    assert desk.json("redrive")["redriven"] == 1
    for attempt in (1, 2):
        newest = next(message for message in desk.events() if header(message, "dlq.attempt") == str(attempt))
        desk.set_aside(newest)
        report = desk.json("redrive")
        assert (report["redriven"], report["already_redriven"], report["came_back"]) == (0, attempt, 1)
        if attempt == 1:
            assert desk.json("redrive", "--again")["redriven"] == 1
    assert len(desk.events()) == 3
    (group,) = desk.json("list")["groups"]
    assert (group["messages"], group["redriven"], group["came_back"]) == (3, 2, 2)


def test_a_mapping_makes_events_of_what_fits_and_the_rest_stays(
    desk: Any, wire: Any, wire_of: Any, tmp_path: Path
) -> None:
    (tmp_path / "mapping.yaml").write_text(MAPPING)
    fields = [("event_id", "string"), ("user", "string"), ("visit", "int"), ("action", "string"), ("at", "long")]
    other = wire_of(
        {"type": "record", "name": "Old", "fields": [{"name": n, "type": t} for n, t in [*fields, ("took", "int")]]}
    )
    event_id = wire.event()["event_id"]
    row = {"event_id": event_id, "user": "ada", "visit": 3, "action": "find", "at": NOW_MS - 5000, "took": 41}
    desk.refused(
        other(row), b'{"user": "bob", "visit": 1, "action": "find", "at": 1700000000000, "took": 7}',
        other(row | {"action": "dance"}), b"garbage",
        timestamp_ms=NOW_MS, error_class="unusable-schema",
    )  # fmt: skip
    count = len(desk.events())
    report = desk.json_of_program("redrive", "--mapping", tmp_path / "mapping.yaml", "--reason", "unusable-schema")
    assert report["redriven"] == 2
    reasons = {problem["letter"]: problem["reason"] for problem in report["problems"]}
    assert "'dance'" in reasons["0/2"]
    assert "can't be read" in reasons["0/3"]
    sent = [message for message in desk.events() if header(message, "dlq.attempt")]
    assert len(desk.events()) == count + 2
    events = {message.timestamp_ms: wire.read(message.value) for message in sent}
    assert str(events[NOW_MS - 5000]["event_id"]) == event_id
    assert (events[NOW_MS - 5000]["request_latency_ms"], events[1_700_000_000_000]["event_type"]) == (41, "SEARCH")
    assert {message.key.decode() for message in sent} == {str(one["user_id"]) for one in events.values()}
    left = desk.json("redrive", "--mapping", tmp_path / "mapping.yaml", "--dry-run", status=1)
    assert (left["redriven"], left["already_redriven"]) == (0, 2)


class Killed(Exception):  # noqa: N818 - not an error of the program's
    """The redrive ends here, as with kill -9: nothing more is written."""


class DyingSender(Sender):
    """Dies at its second writing, which is that of the messages: before it, or after."""

    calls = 0
    writes_first = False

    def send(self, messages: Any) -> list[Sent]:
        self.calls += 1
        if self.calls < 2:
            return super().send(messages)
        if self.writes_first:
            super().send(messages)
        raise Killed


@pytest.mark.parametrize("writes_first", [False, True], ids=["intended, not sent", "sent, not done"])
def test_killed_between_intended_and_done_it_is_sent_once(desk: Any, *, writes_first: bool) -> None:
    desk.refused(b"one", b"two", timestamp_ms=NOW_MS)
    with Session(quiet=True, principal="admin") as session:
        sender = DyingSender(session.kafka)
        sender.writes_first = writes_first
        with pytest.raises(Killed):
            run_redrive(session, Request(Selection()), as_it_was, sender, lambda: None)
    dry = desk.json("redrive", "--dry-run")
    report = desk.json("redrive")
    expected = (0, 2, 2, 0) if writes_first else (2, 0, 0, 2)
    for told in (dry, report):
        resolved = told["resolved"]
        assert (told["redriven"], told["already_redriven"], resolved["done"], resolved["not sent"]) == expected
    redriven = [header(message, "dlq.redriven_from") for message in desk.events()]
    assert sorted(filter(None, redriven)) == ["0/0", "0/1"]
    assert desk.json("redrive")["resolved"] == {"done": 0, "not sent": 0, "unknown": 0}


def test_a_second_redrive_at_the_same_time_is_refused(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second waits for as long as a killed one would hold it up; here a little."""
    desk.refused(b"one", timestamp_ms=NOW_MS)
    topic = desk.kafka.dead_letter_topic
    with RedriveLock(desk.kafka, redriven_topic(topic), f"{topic}-redrive") as lock:
        with monkeypatch.context() as patch:
            patch.setattr("clickpulse.dlq.redriving.RedriveLock", partial(RedriveLock, wait_seconds=3))
            assert "another `clickpulse dlq redrive`" in desk.run("redrive", status=1)
        lock.require()
        assert desk.json("redrive", "--dry-run")["redriven"] == 1
    assert desk.json("redrive")["redriven"] == 1


def test_what_kafka_refuses_stays(desk: Any) -> None:
    (message,) = desk.refused(b"one", timestamp_ms=NOW_MS)
    desk.set_aside(message.__class__((0, 10**6), b"user", b"x" * 2_000_000, NOW_MS, []), error_class="too-large")
    report = desk.json("redrive", status=1)
    assert report["redriven"] == 1
    assert "Kafka refuses it" in report["problems"][0]["reason"]
    assert len(desk.events()) == 2


def test_a_viewer_may_not_write_markers(desk: Any) -> None:
    """Why a redrive needs the admin: what was sent could be forged otherwise."""
    with Session(quiet=True) as session:
        marker = Outgoing(redriven_topic(desk.kafka.dead_letter_topic), b"0/0", b"{}")
        (sent,) = Sender(session.kafka).send([marker])
    assert sent.place is None
    assert "authorization failed" in sent.refused + sent.unknown


def test_an_unreachable_kafka_is_told(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    error = desk.run("list", status=1)
    assert "Kafka 127.0.0.1:1 does not answer" in error
    assert "KAFKA_BOOTSTRAP_SERVERS" in error
