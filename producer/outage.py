"""Notices that Kafka does not answer, and that it does again, and says each once."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

log = structlog.get_logger()

PAUSED_AFTER_SECONDS = 3.0
"""Nothing acknowledged for so long while events wait: whatever the cause, delivery stands still."""


class Outage:
    """Told regularly how far delivery is; logs `delivery_paused` and `delivery_resumed`.

    Args:
        monotonic: seconds, for tests.
    """

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._acknowledged = 0
        self._since = monotonic()
        self._idle = True
        self.paused = False

    def watch(self, outstanding: int, acknowledged: int, last_error: str) -> None:
        now = self._monotonic()
        if acknowledged != self._acknowledged:
            if self.paused:
                log.info("delivery_resumed", paused_seconds=round(now - self._since, 1), outstanding=outstanding)
            self.paused = False
            self._acknowledged = acknowledged
            self._since = now
        elif not self.paused and (outstanding == 0 or self._idle):
            self._since = now  # what has only just been sent is not waited for yet
        elif not self.paused and now - self._since > PAUSED_AFTER_SECONDS:
            self.paused = True
            log.warning("delivery_paused", outstanding=outstanding, last_error=last_error)
        self._idle = outstanding == 0
