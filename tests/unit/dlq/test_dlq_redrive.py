"""Each letter once, whatever happens: redrives on a Kafka in memory, cut off at every step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from clickpulse.dlq import redrive as redrive_module
from clickpulse.dlq.catalog import Selection
from clickpulse.dlq.redrive import as_it_was
from clickpulse.dlq.redriving import Report, Request, run_redrive
from clickpulse.dlq.sending import Sent
from clickpulse.errors import ConfigurationError, TransientError

EVENTS, LETTERS, MARKERS = "events", "dead", "dead-redriven"
Run = Callable[..., Report]


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(redrive_module, "BATCH_LETTERS", 2)
    return iter([None])


@pytest.fixture
def run(cluster: Any, session: Any) -> Run:
    def redrive(reason: str | None = None, require_lock: Callable[[], None] = lambda: None, **request: Any) -> Report:
        return run_redrive(session, Request(Selection(reason), **request), as_it_was, cluster, require_lock)

    return redrive


def origins(cluster: Any) -> Counter[str]:
    """How often each letter is in the events' topic, by what its messages say."""
    return Counter(dict(message.headers())["dlq.redriven_from"].decode() for message in cluster.events())


def test_the_message_is_the_original_and_says_where_it_comes_from(cluster: Any, run: Run) -> None:
    cluster.letter(7, body=b"\0payload", sent=1_600_000_000_123)
    report = run()
    (message,) = cluster.events()
    assert (message.key(), message.value(), message.timestamp()) == (b"user", b"\0payload", (1, 1_600_000_000_123))
    assert message.headers() == [("own", b"1"), ("dlq.redriven_from", b"0/0"), ("dlq.attempt", b"1")]
    assert (report.matching, report.redriven, report.letters, report.problems) == (1, 1, ["0/0"], [])


def test_a_second_redrive_sends_nothing(cluster: Any, run: Run) -> None:
    for offset in range(5):
        cluster.letter(offset)
    assert run().redriven == 5
    again = run()
    assert (again.redriven, again.already_redriven) == (0, 5)
    assert len(cluster.events()) == 5


@pytest.mark.parametrize("after_writing", [False, True], ids=["before it is written", "after"])
@pytest.mark.parametrize("crash_at", range(1, 10))
def test_cut_off_at_any_write_each_letter_is_sent_once(
    cluster: Any, run: Run, crash: type[Exception], crash_at: int, after_writing: bool
) -> None:
    for offset in range(5):
        cluster.letter(offset)
    cluster.crash_at, cluster.crash_after_writing = crash_at, after_writing
    with pytest.raises(crash):
        run()
    run()
    assert origins(cluster) == {f"0/{number}": 1 for number in range(5)}
    assert cluster.states() == ["done"] * 5


def test_two_crashes_in_a_row_are_no_worse(cluster: Any, run: Run, crash: type[Exception]) -> None:
    for offset in range(4):
        cluster.letter(offset)
    for crash_at, after in ((2, True), (3, False)):
        cluster.calls, cluster.crash_at, cluster.crash_after_writing = 0, crash_at, after
        with pytest.raises(crash):
            run()
    cluster.crash_at = None
    report = run()
    assert origins(cluster) == {f"0/{number}": 1 for number in range(4)}
    assert sum(report.resolved.values()) == 2


def test_a_lost_answer_ends_the_run_and_the_next_finds_out(cluster: Any, run: Run) -> None:
    cluster.letter(1)
    cluster.letter(2)

    def lose(message: Any) -> Sent | None:
        if message.topic != EVENTS:
            return None
        cluster.add(EVENTS, message)  # written, and the answer is lost
        return Sent(unknown="timed out")

    cluster.answers = lose
    with pytest.raises(TransientError, match="not known of 2 letters"):
        run()
    cluster.answers = lambda _: None
    report = run()
    assert (report.redriven, report.already_redriven, report.resolved["done"]) == (0, 2, 2)
    assert origins(cluster) == {"0/0": 1, "0/1": 1}


def test_what_kafka_refuses_stays_and_can_be_tried_again(cluster: Any, run: Run) -> None:
    cluster.letter(1)
    cluster.answers = lambda message: Sent(refused="too large") if message.topic == EVENTS else None
    report = run()
    assert [problem.reason for problem in report.problems] == ["Kafka refuses it: too large"]
    assert cluster.states() == ["refused"]
    cluster.answers = lambda _: None
    assert run().redriven == 1


def test_duplicated_letters_of_one_message_are_sent_once(cluster: Any, run: Run) -> None:
    for offset in (1, 1, 2, 1):
        cluster.letter(offset)
    assert run().matching == 2
    assert run().already_redriven == 2
    assert origins(cluster) == {"0/0": 1, "0/2": 1}


def test_what_came_back_is_left_alone_unless_it_is_asked_for(cluster: Any, run: Run) -> None:
    cluster.letter(1)
    run()
    (sent,) = cluster.events()
    back = {name.removeprefix("dlq."): value.decode() for name, value in sent.headers() if name.startswith("dlq.")}
    cluster.letter(90, **back)
    report = run()
    assert (report.redriven, report.already_redriven, report.came_back) == (0, 1, 1)
    assert run(again=True).redriven == 1
    newest = cluster.events()[-1]
    assert newest.headers() == [("own", b"1"), ("dlq.redriven_from", b"0/1"), ("dlq.attempt", b"2")]
    assert run(again=True).redriven == 0


def test_reason_and_limit_choose(cluster: Any, run: Run) -> None:
    for offset in range(4):
        cluster.letter(offset, error_class="unknown-schema" if offset % 2 else "malformed-avro")
    report = run("unknown-schema", limit=1)
    assert (report.matching, report.redriven, report.over_limit) == (2, 1, 1)
    assert origins(cluster) == {"0/1": 1}
    assert run("unknown-schema", limit=1).letters == ["0/3"]


def test_what_has_no_original_bytes_stays_and_says_why(cluster: Any, run: Run) -> None:
    cluster.letter(None, body=b'{"a": 1}', content_type="application/json")
    cluster.letter(None, body=b"start", original_bytes="11000000")
    report = run()
    assert report.redriven == 0
    assert ["never serialized" in report.problems[0].reason, "5 of its 11000000" in report.problems[1].reason] == [
        True,
        True,
    ]
    assert cluster.calls == 0


def test_a_letter_of_a_topic_that_is_gone_stays(cluster: Any, run: Run) -> None:
    cluster.letter(1, topic="yesterdays")
    assert [problem.reason for problem in run().problems] == ["there is no topic yesterdays"]


def test_the_lock_is_asked_for_before_each_batch_is_sent(cluster: Any, run: Run) -> None:
    for offset in range(5):
        cluster.letter(offset)
    seen: list[int] = []

    def lost_at_the_second() -> None:
        seen.append(len(cluster.events()))
        if len(seen) == 2:
            raise TransientError("lost")

    with pytest.raises(TransientError, match="lost"):
        run(require_lock=lost_at_the_second)
    assert seen == [0, 2]
    assert len(cluster.events()) == 2


def test_what_kafka_has_deleted_meanwhile_counts_as_sent(
    cluster: Any, run: Run, crash: type[Exception], stored: Any
) -> None:
    cluster.letter(1)
    cluster.crash_at = 2
    with pytest.raises(crash):
        run()
    cluster.lows[EVENTS] = 5
    cluster.topics[EVENTS] = [[stored((partition, offset), b"") for offset in range(9)] for partition in range(2)]
    report = run()
    assert (report.redriven, report.unknown) == (0, 1)
    assert cluster.states() == ["unknown"]


def test_something_else_in_the_markers_topic_stops_everything(cluster: Any, run: Run) -> None:
    from clickpulse.dlq.sending import Outgoing

    cluster.letter(1)
    cluster.add(MARKERS, Outgoing(MARKERS, b"k", b"hello"))
    with pytest.raises(ConfigurationError, match="0/0 what no redrive wrote"):
        run()
    assert cluster.events() == []


def test_a_topic_made_anew_gives_other_messages(cluster: Any, run: Run) -> None:
    cluster.letter(1)
    run()
    cluster.letter(1, sent=1_700_000_999_000)
    assert run().redriven == 1
