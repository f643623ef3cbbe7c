"""The watch keeps the connector registered, restarts what failed, and says why nothing flows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from clickpulse.completeness import PartitionView
from clickpulse.errors import ConfigurationError, TransientError
from connect.condition import STALLED_SECONDS, START_SECONDS, Condition
from connect.rest import ConnectorState, TaskState
from connect.watch import Watch

CONFIG = {"topics": "events"}


def state(*tasks: str, trace: str = "") -> ConnectorState:
    parts = [TaskState(None, "RUNNING", "a:1")]
    return ConnectorState((*parts, *(TaskState(i, s, "a:1", trace) for i, s in enumerate(tasks))))


@dataclass
class FakeRest:
    """`None` as the state: the worker does not answer."""

    now: ConnectorState | None = None
    config: Mapping[str, str] | None = None
    restarts: int = 0
    name: str = "one"

    def state(self) -> ConnectorState:
        if self.now is None:
            raise TransientError("no answer")
        return self.now

    def register(self, config: Mapping[str, str]) -> bool:
        if config.get("topics") == "refused":
            raise ConfigurationError("refused")
        changed = self.config != config
        self.config = config
        return changed

    def restart(self, *, only_failed: bool) -> None:
        assert only_failed
        self.restarts += 1


@dataclass
class FakeOffsets:
    views: dict[int, PartitionView] = field(default_factory=dict)
    problem: str = ""

    def look(self) -> Mapping[int, PartitionView]:
        if self.problem:
            raise TransientError(self.problem)
        return self.views


class World:
    """A watch with everything around it, on a clock that a test moves."""

    def __init__(self, config: Mapping[str, str] = CONFIG) -> None:
        self.now = 1000.0
        self.rest, self.offsets = FakeRest(), FakeOffsets()
        self.condition = Condition(lambda: self.now)
        self.cause = ""
        self.watch = Watch(
            self.rest,  # type: ignore[arg-type]
            config,
            self.offsets,
            self.condition,
            why_stalled=lambda: self.cause,
            clock=lambda: self.now,
        )

    def look(self, seconds: float = 1.0) -> dict[str, object]:
        self.now += seconds
        self.watch.look()
        return self.condition.snapshot()

    def running(self) -> None:
        self.rest.now = state("RUNNING")
        self.look()
        self.look()


def test_the_connector_is_registered_as_soon_as_the_worker_answers() -> None:
    world = World()
    assert world.look()["status"] == "starting"
    assert world.rest.config is None
    world.rest.now = ConnectorState(())
    world.look()
    assert world.rest.config == CONFIG
    world.rest.now = state("RUNNING")
    assert world.look()["status"] == "ok"
    assert world.condition.ready()


def test_a_connector_that_was_taken_away_is_registered_again() -> None:
    world = World()
    world.running()
    world.rest.config, world.rest.now = None, ConnectorState(())
    world.look()
    assert world.rest.config == CONFIG


def test_a_refused_connector_stops_the_worker() -> None:
    world = World({"topics": "refused"})
    world.rest.now = ConnectorState(())
    with pytest.raises(ConfigurationError):
        world.look()


def test_a_failed_task_is_restarted_ever_more_rarely_and_its_cause_is_shown() -> None:
    world = World()
    world.running()
    world.rest.now = state("FAILED", trace="Caused by: ClickHouse is not active")
    shown = world.look()
    assert shown["paused_reason"] == "task 0 failed: ClickHouse is not active"
    assert not world.condition.ready()
    assert world.condition.healthy(), "a restart of the worker would not help"
    for _ in range(120):
        world.look()
    assert world.rest.restarts == 10  # at once, after 5 s, 10 s more, and from then on every 15 s
    world.rest.now = state("RUNNING")
    assert world.look()["paused_reason"] is None
    world.rest.now = state("FAILED")
    world.look(100)
    assert world.rest.restarts == 11


def test_events_that_wait_without_a_commit_are_a_pause_with_its_cause() -> None:
    world = World()
    world.offsets.views = {0: PartitionView(None, end=10, committed=10)}
    world.running()
    assert world.condition.ready()
    world.offsets.views = {0: PartitionView(None, end=30, committed=10)}
    world.cause = "ClickHouse does not answer"
    assert world.look()["lag_total"] == 20
    assert world.condition.ready(), "a moment of lag is no stall"
    shown = world.look(STALLED_SECONDS + 1)
    assert "ClickHouse does not answer" in str(shown["paused_reason"])
    assert not world.condition.ready()
    world.offsets.views = {0: PartitionView(None, end=30, committed=30)}
    shown = world.look()
    assert shown["paused_reason"] is None
    assert shown["last_flush_at"] is not None


def test_kafka_that_does_not_answer_is_a_pause() -> None:
    world = World()
    world.running()
    world.offsets.problem = "Kafka does not answer"
    assert world.look()["paused_reason"] == "Kafka does not answer"
    world.offsets.problem = ""
    assert world.look()["paused_reason"] is None


def test_a_worker_that_stopped_answering_is_a_pause_and_later_unhealthy() -> None:
    world = World()
    world.running()
    world.rest.now = None
    assert world.look()["status"] == "paused"
    assert world.condition.healthy()
    assert world.look(START_SECONDS)["status"] == "stuck"
    assert not world.condition.healthy()
