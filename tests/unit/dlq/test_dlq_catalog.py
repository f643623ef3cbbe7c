"""Groups of letters: counted by message, told by class and component."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from clickpulse.dlq.catalog import Catalog, Selection
from clickpulse.dlq.letters import parse_letter
from clickpulse.dlq.redrive import as_it_was
from clickpulse.dlq.redriving import Request, run_redrive

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
ALL = Selection()


def at(minutes: int) -> str:
    return (START + timedelta(minutes=minutes)).isoformat()


def read(cluster: Any) -> Catalog:
    return Catalog(parse_letter(message) for message in cluster.read("dead"))


def test_groups_count_messages_and_tell_their_times(cluster: Any) -> None:
    for minute, offset in enumerate((5, 6, 5, 7)):
        cluster.letter(offset, timestamp=at(minute))
    cluster.letter(5, error_class="null-value", component="connect", timestamp=at(9), reason="newest")
    first, second = read(cluster).groups(ALL, {})
    assert (first.error_class, first.component, first.messages, first.letters) == ("malformed-avro", "sink", 3, 4)
    assert (first.first_at, first.last_at, first.reason) == (START, START + timedelta(minutes=3), "reason of 7")
    assert (second.error_class, second.component, second.messages, second.reason) == (
        "null-value", "connect", 1, "newest",
    )  # fmt: skip


def test_selections(cluster: Any) -> None:
    cluster.letter(1, timestamp=at(0))
    cluster.letter(2, timestamp=at(5), component="producer")
    cluster.letter(3, timestamp=at(9), error_class="null-value")
    catalog = read(cluster)

    def messages(**wanted: Any) -> int:
        return sum(group.messages for group in catalog.groups(Selection(**wanted), {}))

    assert (messages(), messages(component="producer"), messages(reason="null-value")) == (3, 1, 1)
    assert messages(since=START + timedelta(minutes=5)) == 2
    assert messages(reason="null-value", component="producer") == 0


def test_what_was_redriven_and_what_came_back(cluster: Any, session: Any) -> None:
    for offset in range(3):
        cluster.letter(offset)
    run_redrive(session, Request(ALL, limit=2), as_it_was, cluster, lambda: None)
    cluster.letter(50, error_class="null-value", redriven_from="0/1", attempt="1")
    groups = {group.error_class: group for group in read(cluster).groups(ALL, session.markers())}
    assert (groups["malformed-avro"].messages, groups["malformed-avro"].redriven) == (3, 2)
    assert groups["malformed-avro"].came_back == 1
    assert (groups["null-value"].redriven, groups["null-value"].came_back) == (0, 0)


def test_no_letters_no_groups(cluster: Any) -> None:
    assert read(cluster).groups(ALL, {}) == []
