"""One user interaction in memory, as the simulator and the replay hand it to the delivery."""

from __future__ import annotations

from typing import NamedTuple

from clickpulse.errors import BadRecordError
from clickpulse.events import PRODUCT_EVENT_TYPES, EventType, Status

UUID_LENGTH = 36
MAX_LATENCY_MS = 2**31 - 1
"""`request_latency_ms` is an Avro int."""
MIN_ERROR_CODE, MAX_ERROR_CODE = 400, 599

_EVENT_TYPES = frozenset(EventType)
_STATUSES = frozenset(Status)


class Interaction(NamedTuple):
    """The fields of `schemas/user_interaction.avsc`, in its order.

    The ids are UUIDs as text, `event_timestamp` is milliseconds since the epoch (UTC), the latency is in milliseconds.
    """

    event_id: str
    user_id: str
    session_id: str
    event_type: str
    event_timestamp: int
    request_latency_ms: int
    status: str
    error_code: int | None
    product_id: str | None


def check(event: Interaction) -> None:
    """Hold an event against the contract.

    Raises:
        BadRecordError: names the first field that does not fit, its value and what was expected.
    """
    for name in ("event_id", "user_id", "session_id"):
        value = getattr(event, name)
        if not isinstance(value, str) or len(value) != UUID_LENGTH or not value.isascii():
            raise _bad(name, value, "is not a UUID")
    if event.event_type not in _EVENT_TYPES:
        raise _bad("event_type", event.event_type, f"is not one of {', '.join(EventType)}")
    if not isinstance(event.event_timestamp, int) or event.event_timestamp < 0:
        raise _bad("event_timestamp", event.event_timestamp, "is not milliseconds since 1970")
    if not isinstance(event.request_latency_ms, int) or not 0 <= event.request_latency_ms <= MAX_LATENCY_MS:
        raise _bad("request_latency_ms", event.request_latency_ms, f"is not a whole number from 0 to {MAX_LATENCY_MS}")
    if event.status not in _STATUSES:
        raise _bad("status", event.status, f"is not one of {', '.join(Status)}")
    _check_conditional(event)


def _check_conditional(event: Interaction) -> None:
    code, product = event.error_code, event.product_id
    if code is not None:
        if event.status != Status.ERROR:
            raise _bad("error_code", code, f"is only allowed with status ERROR (status is {event.status})")
        if not isinstance(code, int) or not MIN_ERROR_CODE <= code <= MAX_ERROR_CODE:
            raise _bad("error_code", code, f"is not a whole number from {MIN_ERROR_CODE} to {MAX_ERROR_CODE}")
    if product is not None:
        if event.event_type not in PRODUCT_EVENT_TYPES:
            allowed = " and ".join(sorted(PRODUCT_EVENT_TYPES))
            raise _bad("product_id", product, f"is only allowed with {allowed} (event_type is {event.event_type})")
        if not isinstance(product, str):
            raise _bad("product_id", product, "is not text")


def _bad(field: str, value: object, problem: str) -> BadRecordError:
    shown = repr(value)
    if len(shown) > 80:  # noqa: PLR2004 - enough to recognise it
        shown = f"{shown[:77]}..."
    return BadRecordError(f"{field} {shown} {problem}", "invalid-event")
