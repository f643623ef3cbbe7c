"""What can be seen while a fault lasts: which service is ill, and what the sink says it waits for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx

from clickpulse.settings import SinkSettings

if TYPE_CHECKING:
    from tests.faults.scenario import Lab

_LONGEST = 110
REFUSAL_LENGTH = 260
"""Characters of a refusal: with what is wrong and what to do."""


def observe(lab: Lab) -> Iterator[str]:
    """Short texts for the table."""
    ill = sorted(lab.services.problems())
    if ill:
        yield f"unhealthy meanwhile: {', '.join(ill)}"
    reason = sink_pause()
    if reason:
        yield f"the sink paused: {shortened(reason)}"


def sink_pause() -> str | None:
    """The reason that the sink gives for waiting; None where it doesn't wait, or does not answer."""
    settings = SinkSettings.load()
    try:
        answer = httpx.get(f"http://{settings.health_host}:{settings.health_port}/healthz", timeout=2, trust_env=False)
        reason: str | None = answer.json().get("paused_reason")
    except (httpx.TransportError, ValueError):
        return None
    return reason


def shortened(text: str, longest: int = _LONGEST) -> str:
    """One line of at most `longest` characters, for a table's cell."""
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
