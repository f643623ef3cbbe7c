"""SIGTERM and SIGINT: the first one asks for a clean end, the second one for an end at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Self

import structlog

log = structlog.get_logger()

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stop:
    """A context manager that turns the signals into two questions; on leaving, the old handlers are back."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._again = False
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._event.is_set():
            self._again = True
        self._event.set()
        log.info("stopping", signal=signal.Signals(number).name, at_once=self._again)

    def requested(self) -> bool:
        """Generate nothing more; deliver what is under way."""
        return self._event.is_set()

    def at_once(self) -> bool:
        """Do not even wait for Kafka."""
        return self._again

    def wait(self, seconds: float) -> bool:
        """Sleep, or less if a signal comes; true if the end is requested."""
        return self._event.wait(seconds)
