"""Conversions of single values, with reasons for people where a value does not fit."""

from __future__ import annotations

import math
import uuid
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from clickpulse.errors import BadRecordError

UNIT_MS = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1e3, "min": 60e3}
"""Milliseconds in each unit of time."""
_LAST_MS = 253_402_300_799_999
"""The end of the year 9999: a larger number is another unit."""


def iso_ms(value: Any, column: str, zone: ZoneInfo | None) -> int:
    """Milliseconds since the epoch of ISO 8601 text or a datetime; `zone` is for times that name none.

    In the hour that a clock is set back, the first of the two is meant (PEP 495, fold 0).
    """
    if value is None or value == "":
        raise empty("event_timestamp", column)
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        if moment.tzinfo is None:
            if zone is None:
                raise unfit(f"event_timestamp {short(str(value))} has no time zone and the mapping gives no time_zone")
            moment = moment.replace(tzinfo=zone)
        return round(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise unfit(f"event_timestamp {short(str(value))} of column {column} is not an ISO 8601 time") from None


def in_range(time_ms: int, given: Any) -> int:
    """The time itself, if it is one that can be meant."""
    if not 0 <= time_ms <= _LAST_MS:
        raise unfit(f"event_timestamp {short(str(given))} is not between 1970 and 9999: is its unit right?")
    return time_ms


def number_of(field: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise unfit(f"{field} {short(text)} is not a number")
    return number


def namespace_of(text: str) -> uuid.UUID:
    """A UUID as it is; any other text as a UUID version 5 of its own."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return uuid.uuid5(uuid.NAMESPACE_URL, f"urn:clickpulse:{text}")


def empty(field: str, column: str | None) -> BadRecordError:
    return unfit(f"{field}: column {column} is empty and there is no default")


def unfit(reason: str) -> BadRecordError:
    return BadRecordError(reason, "unmappable-row")


def short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")  # noqa: PLR2004 - enough to recognise it
