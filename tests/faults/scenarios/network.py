"""Connections that are slow, reset, silent, or lose the answer to something that was done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial

from tests.faults.proxy import Behaviour, Blackhole, Delay, DropResponse, ResetAfter
from tests.faults.scenario import Course, Lab, Scenario
from tests.faults.topics import Letter
from tests.support import wait_for

RESET_SECONDS = 60
DELAY_SECONDS = 60
SILENT_SECONDS = 60
STRIKE_SECONDS = 300
"""Until a fault has hit something: a report is made and posted once a minute."""

DELAY = 0.2
RESET_BYTES = {"clickhouse": 20_000, "s3": 3_000, "report-api": 500}
"""Some requests get through, most break in their middle."""

INSERT = b"INSERT"
POST_REPORT = b"POST /api/v1/reports"


@contextmanager
def misbehaving(lab: Lab, course: Course, name: str, make: Callable[[], Behaviour], what: str) -> Iterator[None]:
    """As long as the scenario says, and until it has hit something: a minute's report may be late just then."""
    with lab.proxies[name].behaving(make()) as behaviour:
        yield
        wait_for(lambda: behaviour.strikes, seconds=STRIKE_SECONDS, what=f"anything to go to {name}")
    course.note(f"{behaviour.strikes} {what}")


@contextmanager
def answer_lost(lab: Lab, course: Course, name: str, match: bytes, times: int) -> Iterator[None]:
    """Until as many answers were lost as were to be."""
    with lab.proxies[name].behaving(DropResponse(match, times)) as behaviour:
        yield
        wait_for(lambda: behaviour.strikes >= times, seconds=STRIKE_SECONDS, what=f"{times} lost answers of {name}")
    course.note(f"{behaviour.strikes} answers lost after the work was done")


def without_proxies(lab: Lab) -> str | None:
    return None if lab.proxies else "the stack was started without proxies in front of its services"


def stored_once(_lab: Lab, _course: Course, _letters: list[Letter]) -> Iterable[str]:
    """The insert whose answer was lost is recognized: ClickHouse has each message once."""
    from clickpulse.clients import clickhouse_client
    from clickpulse.settings import ClickHouseSettings

    client = clickhouse_client(ClickHouseSettings.load(), reader=True)
    try:
        (found,) = client.query(
            "SELECT count() - uniqExact(kafka_partition, kafka_offset) FROM events"
            " WHERE arrived_at > now() - INTERVAL 1 HOUR"
        ).result_rows[0]
    finally:
        client.close()
    if found:
        yield f"{found} messages are in ClickHouse twice"


def scenarios() -> Iterator[Scenario]:
    for name, size in RESET_BYTES.items():
        yield Scenario(
            name=f"reset-{name}",
            title=f"connections to {name} reset for {RESET_SECONDS} s",
            story=f"RST after {size:,} bytes of each connection",
            strike=partial(misbehaving, name=name, make=partial(ResetAfter, size), what="connections reset"),
            seconds=RESET_SECONDS,
            missing=without_proxies,
        )
        yield Scenario(
            name=f"latency-{name}",
            title=f"latency of {DELAY * 1000:.0f} ms to {name} for {DELAY_SECONDS} s",
            story="each piece of data comes later, both ways",
            strike=partial(misbehaving, name=name, make=partial(Delay, DELAY), what="pieces of data held back"),
            seconds=DELAY_SECONDS,
            missing=without_proxies,
        )
        yield Scenario(
            name=f"silence-{name}",
            title=f"silence of {name} for {SILENT_SECONDS} s",
            story="connections are accepted, nothing goes through",
            strike=partial(misbehaving, name=name, make=Blackhole, what="pieces of data held up"),
            seconds=SILENT_SECONDS,
            missing=without_proxies,
        )
    yield Scenario(
        name="insert-answer-lost",
        title="the answer lost after a successful insert",
        story="ClickHouse has stored the batch, the sink sees a reset connection",
        strike=partial(answer_lost, name="clickhouse", match=INSERT, times=5),
        missing=without_proxies,
        verify=stored_once,
    )
    yield Scenario(
        name="post-answer-lost",
        title="the answer lost after a successful report POST",
        story="the report is stored, the DAG sees a reset connection",
        strike=partial(answer_lost, name="report-api", match=POST_REPORT, times=2),
        missing=without_proxies,
    )
