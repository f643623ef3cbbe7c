"""Keeps the connector as it should be: registered with this configuration, its failed tasks restarted.

Connect retries what a running task can't deliver, and never restarts a task that has failed; one fails, for instance,
that is started while ClickHouse does not answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Protocol

import structlog

from clickpulse.completeness import PartitionView
from clickpulse.errors import ConfigurationError, TransientError
from connect.condition import Condition
from connect.rest import ConnectorState, ConnectRest

LOOK_SECONDS = 1.0
_RESTART_SECONDS = 5.0
_LONGEST_RESTART_SECONDS = 15.0
_WORKER, _TASKS, _KAFKA, _STALL = "worker", "tasks", "kafka", "stall"
log = structlog.get_logger()


class Positions(Protocol):
    """Where the sink's group is in the topic."""

    def look(self) -> Mapping[int, PartitionView]:
        """By partition. Raises `TransientError`."""


class Watch:
    """One connector.

    Args:
        rest: the worker's REST interface.
        config: what the connector has to be.
        positions: of the sink's group in the topic.
        condition: is told what is seen.
        why_stalled: names the cause of a stall; empty if it finds none.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        rest: ConnectRest,
        config: Mapping[str, str],
        positions: Positions,
        condition: Condition,
        *,
        why_stalled: Callable[[], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rest = rest
        self._config = config
        self._positions = positions
        self._why_stalled = why_stalled
        self._condition = condition
        self._clock = clock
        self._registered = False
        self._restart_at = 0.0
        self._restart_seconds = _RESTART_SECONDS

    def look(self) -> None:
        """See how it is, and mend what can be mended; a look every `LOOK_SECONDS`.

        Raises:
            ConfigurationError: Connect refuses the connector.
        """
        try:
            self._mend()
        except TransientError as error:
            if self._registered:  # before that, the worker is starting
                self._condition.pause(_WORKER, str(error))
        else:
            self._condition.resume(_WORKER)
        self._look_at_offsets()

    def _mend(self) -> None:
        state = self._rest.state()
        self._condition.worker(state)
        if not self._registered or not state.registered:
            changed = self._rest.register(self._config)
            self._registered = True
            log.info("registered", connector=self._rest.name, changed=changed)
            return
        if state.failed:
            self._restart(state)
        elif state.running:
            self._restart_seconds = _RESTART_SECONDS
            self._condition.resume(_TASKS)

    def _restart(self, state: ConnectorState) -> None:
        reason = "; ".join(f"{part.name} failed: {part.cause}" for part in state.failed)
        self._condition.pause(_TASKS, reason)
        if self._clock() < self._restart_at:
            return
        log.warning("restarting", tasks=[part.name for part in state.failed], reason=reason)
        try:
            self._rest.restart(only_failed=True)
        except ConfigurationError as error:
            raise TransientError(f"the connector vanished: {error}") from error
        self._condition.restarted()
        self._restart_at = self._clock() + self._restart_seconds
        self._restart_seconds = min(2 * self._restart_seconds, _LONGEST_RESTART_SECONDS)

    def _look_at_offsets(self) -> None:
        try:
            self._condition.offsets(self._positions.look())
        except TransientError as error:
            self._condition.pause(_KAFKA, str(error))
            return
        self._condition.resume(_KAFKA)
        if seconds := self._condition.stalled_seconds:
            reasons = [f"events wait, and none was stored for {seconds:.0f} s", self._why_stalled()]
            self._condition.pause(_STALL, ": ".join(filter(None, reasons)))
        else:
            self._condition.resume(_STALL)
