"""Incidents on request: an event type's errors or latency raised for a while.

`TYPE:errors:SHARE:FROM..TO` and `TYPE:latency:xFACTOR:FROM..TO`. TYPE is an event type or ALL. FROM and TO are minutes
after the start (`2..5`, decimals allowed) or times (`2026-11-22T10:05Z..2026-11-22T10:08Z`); TO is not included.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf, isfinite
from typing import Literal

from clickpulse.errors import ConfigurationError
from clickpulse.events import EventType

FORM = "TYPE:errors:SHARE:FROM..TO or TYPE:latency:xFACTOR:FROM..TO, for example PAYMENT:errors:0.4:2..5"
_MINUTE_MS = 60_000
_PARTS = 4


@dataclass(frozen=True)
class Incident:
    """`amount` is the share of failing requests (0 to 1) or the factor on the latency; times in ms since the epoch."""

    event_types: frozenset[EventType]
    kind: Literal["errors", "latency"]
    amount: float
    from_ms: float
    to_ms: float


def parse(text: str, start_ms: int) -> Incident:
    """Read one specification; relative minutes count from `start_ms`.

    Raises:
        ConfigurationError: names the part that is wrong and the form.
    """
    parts = text.split(":", _PARTS - 1)
    if len(parts) != _PARTS:
        raise _wrong(text, f"it has {len(parts)} parts instead of {_PARTS}")
    event_type, kind, amount, span = parts
    from_ms, to_ms = _span(text, span, start_ms)
    if kind == "errors":
        return Incident(_types(text, event_type), "errors", _share(text, amount), from_ms, to_ms)
    if kind == "latency":
        return Incident(_types(text, event_type), "latency", _factor(text, amount), from_ms, to_ms)
    raise _wrong(text, f"kind {kind!r} is not errors or latency")


class Incidents:
    """What the incidents do at a time; asked with times that do not go back, it looks only when something changes."""

    def __init__(self, incidents: list[Incident]) -> None:
        self._incidents = incidents
        self._until = -inf
        self._error_rates: dict[EventType, float] = {}
        self._latency_factors: dict[EventType, float] = {}

    def at(self, at_ms: float) -> tuple[dict[EventType, float], dict[EventType, float]]:
        """Error rates that replace the usual ones, and factors on the latency, by event type.

        Where incidents overlap, the larger error rate holds and the factors multiply.
        """
        if at_ms >= self._until:
            self._look(at_ms)
        return self._error_rates, self._latency_factors

    def _look(self, at_ms: float) -> None:
        self._error_rates, self._latency_factors = {}, {}
        edges = [edge for incident in self._incidents for edge in (incident.from_ms, incident.to_ms)]
        self._until = min((edge for edge in edges if edge > at_ms), default=inf)
        for incident in self._incidents:
            if not incident.from_ms <= at_ms < incident.to_ms:
                continue
            for event_type in incident.event_types:
                if incident.kind == "errors":
                    before = self._error_rates.get(event_type, 0.0)
                    self._error_rates[event_type] = max(before, incident.amount)
                else:
                    before = self._latency_factors.get(event_type, 1.0)
                    self._latency_factors[event_type] = before * incident.amount


def _types(text: str, name: str) -> frozenset[EventType]:
    if name == "ALL":
        return frozenset(EventType)
    try:
        return frozenset({EventType(name)})
    except ValueError:
        raise _wrong(text, f"event type {name!r} is not ALL or one of {', '.join(EventType)}") from None


def _share(text: str, value: str) -> float:
    share = _number(value)
    if share is None or not 0 <= share <= 1:
        raise _wrong(text, f"share {value!r} is not a number from 0 to 1")
    return share


def _factor(text: str, value: str) -> float:
    factor = _number(value[1:]) if value.startswith("x") else None
    if factor is None or factor <= 0:
        raise _wrong(text, f"factor {value!r} is not x and a number above 0, such as x4")
    return factor


def _span(text: str, span: str, start_ms: int) -> tuple[float, float]:
    first, dots, last = span.partition("..")
    if not dots:
        raise _wrong(text, f"{span!r} is not FROM..TO")
    from_ms, to_ms = _time(text, first, start_ms), _time(text, last, start_ms)
    if to_ms <= from_ms:
        raise _wrong(text, f"{span!r} ends before it begins")
    return from_ms, to_ms


def _time(text: str, value: str, start_ms: int) -> float:
    minutes = _number(value)
    if minutes is not None:
        if minutes < 0:
            raise _wrong(text, f"minute {value!r} is before the start")
        return start_ms + minutes * _MINUTE_MS
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise _wrong(text, f"{value!r} is neither minutes after the start nor a time like 2026-11-22T10:05Z") from None
    if moment.tzinfo is None:
        raise _wrong(text, f"time {value!r} has no time zone: write {value}Z for UTC")
    return moment.astimezone(UTC).timestamp() * 1000


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if isfinite(number) else None


def _wrong(text: str, problem: str) -> ConfigurationError:
    return ConfigurationError(f"--incident {text!r}: {problem}; write {FORM}")
