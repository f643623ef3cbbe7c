"""`clickpulse reconcile` over real services, with faults that the test has planted and knows the place of."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from clickpulse.dead_letters import DeadLetter, DeadLetterWriter

CLEAN, DELETED, WRONG, DOUBLED, DEAD, INVENTED, LATE, FOREIGN = range(8)
MINUTES = 8
EVENTS = 12


@pytest.fixture(scope="module")
def planted(pipeline: Any) -> dict[str, Any]:
    """Fill a minute for each fault; what `reconcile --json` then says, with what was planted where."""
    places: dict[str, Any] = {}
    for minute in range(MINUTES):
        sent = pipeline.fill(minute, EVENTS)
        if minute == DELETED:
            places["deleted"] = sent[4]
            delete(pipeline, sent[4])
        if minute == DOUBLED:
            places["doubled"] = pipeline.send(sent[3].event, 2)
            pipeline.store(places["doubled"])
        if minute == DEAD:
            places["dead"] = pipeline.send(pipeline.event(minute), 1, b"no Avro")
            set_aside(pipeline, places["dead"])
        if minute == LATE:
            late = places["late"] = pipeline.send(pipeline.event(minute), 0)
        if minute == FOREIGN:
            now_ms = int(datetime.now(UTC).timestamp() * 1000)
            pipeline.store(pipeline.send(pipeline.event(minute), 2, kafka_ms=now_ms))
        pipeline.report(minute, more=2 if minute == WRONG else 0)
        if minute == LATE:
            pipeline.store(late)
            note_late(pipeline, late)
        if minute == INVENTED:
            places["invented"] = invent(pipeline, sent[0], 1)
            places["deleted later"] = sent[7]
            delete(pipeline, sent[7])
    pipeline.commit()
    done = pipeline.reconcile(0, MINUTES, "--json")
    assert done.returncode == 1, done.stderr
    places["account"] = json.loads(done.stdout)
    return places


def delete(pipeline: Any, sent: Any) -> None:
    pipeline.clickhouse.command(
        "DELETE FROM events WHERE kafka_partition = {partition:UInt16} AND kafka_offset = {offset:UInt64}",
        parameters={"partition": sent.partition, "offset": sent.offset},
    )


def set_aside(pipeline: Any, sent: Any) -> None:
    letter = DeadLetter(
        topic=pipeline.kafka.topic,
        key=None,
        value=b"no Avro",
        reason="first byte is 0x6e",
        error_class="not-wire-format",
        component="sink",
        partition=sent.partition,
        offset=sent.offset,
        timestamp_ms=sent.event["event_timestamp"],
    )
    refused = DeadLetter(
        topic=pipeline.kafka.topic, key=None, value=b"{}", reason="r", error_class="unserializable",
        component="producer", timestamp_ms=sent.event["event_timestamp"],
    )  # fmt: skip
    producer = Producer(pipeline.kafka.client_config() | {"enable.idempotence": True})
    # The same letter twice, as after a kill: it stands for one message.
    DeadLetterWriter(producer, pipeline.kafka.dead_letter_topic).write([letter, letter, refused])


def note_late(pipeline: Any, sent: Any) -> None:
    row = [
        pipeline.window(LATE).start, sent.event["event_id"], "SEARCH", sent.partition, sent.offset,
        datetime.now(UTC), "after the horizon",
    ]  # fmt: skip
    names = ["minute", "event_id", "event_type", "kafka_partition", "kafka_offset", "arrived_at", "reason"]
    pipeline.clickhouse.insert("late_ledger", [row, row], column_names=names)


def invent(pipeline: Any, like: Any, partition: int) -> tuple[int, int]:
    """A row of a message that never was."""
    offset = 10**6
    pipeline.store(type(like)(partition, offset, like.event | {"event_id": str(uuid.uuid4())}))
    return partition, offset


def found(planted: dict[str, Any], minute: int) -> dict[str, Any]:
    account = planted["account"]["minutes"][minute]
    assert account["window"]
    return account


def named(findings: list[dict[str, Any]]) -> list[tuple[str, int | None, list[list[int]]]]:
    return [(one["kind"], one["partition"], one["offsets"]) for one in findings]


def at(sent: Any) -> tuple[int, list[list[int]]]:
    return sent.partition, [[sent.offset, sent.offset]]


def test_a_minute_without_a_fault_adds_up(planted: dict[str, Any]) -> None:
    minute = found(planted, CLEAN)

    assert (minute["acknowledged"], minute["reported"], minute["problems"], minute["notes"]) == (EVENTS, EVENTS, [], [])
    assert (minute["revision"], minute["complete"]) == (0, True)


def test_a_row_deleted_before_the_report_is_missing(planted: dict[str, Any]) -> None:
    minute = found(planted, DELETED)

    assert (minute["acknowledged"], minute["reported"], minute["missing"]) == (EVENTS, EVENTS - 1, 1)
    assert named(minute["problems"]) == [("missing", *at(planted["deleted"]))]


def test_a_report_that_counts_more_than_its_rows_is_named(planted: dict[str, Any]) -> None:
    minute = found(planted, WRONG)

    assert named(minute["problems"]) == [("wrong-total", None, [])]
    assert minute["unexpected"] == 2


def test_a_doubled_event_counts_once_and_is_named(planted: dict[str, Any]) -> None:
    minute = found(planted, DOUBLED)

    assert (minute["acknowledged"], minute["reported"], minute["duplicates"]) == (EVENTS + 1, EVENTS, 1)
    assert minute["problems"] == []
    ((kind, partition, offsets),) = named(minute["notes"])
    assert kind == "duplicate"
    assert (partition, offsets) == at(planted["doubled"])


def test_a_dead_letter_is_named_by_its_message_and_refused_ones_apart(planted: dict[str, Any]) -> None:
    minute = found(planted, DEAD)

    assert (minute["acknowledged"], minute["reported"], minute["dead_lettered"]) == (EVENTS + 1, EVENTS, 1)
    assert minute["problems"] == []
    assert named(minute["notes"]) == [("dead-lettered", *at(planted["dead"]))]
    assert planted["account"]["refused_by_producers"] == 1


def test_an_invented_row_and_one_deleted_after_the_report_are_named(planted: dict[str, Any]) -> None:
    minute = found(planted, INVENTED)
    partition, offset = planted["invented"]

    assert (minute["acknowledged"], minute["reported"], minute["unexpected"]) == (EVENTS, EVENTS, 2)
    assert sorted(named(minute["problems"])) == sorted(
        [("not-stored", *at(planted["deleted later"])), ("row-without-message", partition, [[offset, offset]])]
    )


def test_an_event_in_the_ledger_is_late(planted: dict[str, Any]) -> None:
    minute = found(planted, LATE)

    assert (minute["acknowledged"], minute["reported"], minute["late"]) == (EVENTS + 1, EVENTS, 1)
    assert minute["problems"] == []
    assert named(minute["notes"]) == [("late", *at(planted["late"]))]


def test_an_event_belongs_to_its_own_time_whatever_kafkas_timestamp(planted: dict[str, Any]) -> None:
    minute = found(planted, FOREIGN)

    assert (minute["acknowledged"], minute["reported"], minute["problems"]) == (EVENTS + 1, EVENTS + 1, [])


def test_the_totals_are_the_minutes_sums(planted: dict[str, Any]) -> None:
    account = planted["account"]

    assert account["adds_up"] is False
    for name, total in account["totals"].items():
        assert total == sum(minute[name] for minute in account["minutes"]), name


def test_the_table_names_what_does_not_add_up_and_exits_with_1(pipeline: Any, planted: dict[str, Any]) -> None:
    done = pipeline.reconcile(0, MINUTES)

    assert done.returncode == 1, done.stderr
    assert "does not add up in 3 of 8 minutes" in done.stdout
    assert f"{pipeline.window(DELETED).start:%m-%d %H:%M}" in done.stdout
    assert str(planted["deleted"].offset) in done.stdout


def test_a_range_that_adds_up_exits_with_0(pipeline: Any, planted: dict[str, Any]) -> None:
    done = pipeline.reconcile(DOUBLED, DEAD + 1)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "every event is accounted for" in done.stdout
    assert planted


@pytest.mark.parametrize(("first", "end", "says"), [(3, 3, "is not after"), (4, 2, "is not after")])
def test_an_empty_range_can_not_be_checked(pipeline: Any, first: int, end: int, says: str) -> None:
    done = pipeline.reconcile(first, end)

    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr


def test_without_kafka_it_can_not_be_checked(pipeline: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9")

    done = pipeline.reconcile(0, 1, "--json")

    assert (done.returncode, done.stdout) == (2, "")
    assert "Kafka" in done.stderr


def test_what_kafka_has_removed_can_not_be_checked(pipeline: Any, planted: dict[str, Any]) -> None:
    """The last test: it deletes what the others look at."""
    of_two = [one for one in pipeline.sent if one.partition == 1][EVENTS // 3 + 1]
    admin = AdminClient(pipeline.kafka.client_config())
    for answer in admin.delete_records([TopicPartition(pipeline.kafka.topic, 1, of_two.offset)]).values():
        answer.result()

    removed = pipeline.reconcile(CLEAN, DEAD)
    kept = pipeline.reconcile(DOUBLED, DEAD)

    assert removed.returncode == 2, removed.stdout
    assert f"from {pipeline.window(DELETED + 1)} on can be checked" in removed.stderr
    assert kept.returncode == 0, kept.stdout + kept.stderr
    assert planted
