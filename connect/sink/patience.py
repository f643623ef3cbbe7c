"""A dependency that does not answer pauses the sink: the same step is tried until it works."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

import stamina

from clickpulse.errors import ClickpulseError, TransientError

T = TypeVar("T")

FIRST_WAIT_SECONDS = 0.05
LONGEST_WAIT_SECONDS = 2.0


class AbandonedError(ClickpulseError):
    """The step is no longer wanted: the sink stops, or the partitions were given to another."""


class PauseListener(Protocol):
    def paused(self, source: str, reason: str) -> None: ...
    def resumed(self, source: str) -> None: ...


class Patience:
    """Tries a step again for ever, with back-off, until it works or is called off.

    A step raises `TransientError` to be tried again; all else goes up.
    """

    source = "delivery"

    def __init__(self, listener: PauseListener) -> None:
        self._listener = listener
        self._called_off = threading.Event()

    def call_off(self) -> None:
        """Let the running step be the last one: `AbandonedError` instead of the next attempt."""
        self._called_off.set()

    def persist(self, step: Callable[[], T]) -> T:
        for attempt in stamina.retry_context(
            on=TransientError,
            attempts=None,
            timeout=None,
            wait_initial=FIRST_WAIT_SECONDS,
            wait_max=LONGEST_WAIT_SECONDS,
            wait_jitter=FIRST_WAIT_SECONDS,
        ):
            with attempt:
                result = self._once(step)
        self._listener.resumed(self.source)
        return result

    def _once(self, step: Callable[[], T]) -> T:
        if self._called_off.is_set():
            raise AbandonedError("called off")
        try:
            return step()
        except TransientError as error:
            self._listener.paused(self.source, str(error))
            raise
