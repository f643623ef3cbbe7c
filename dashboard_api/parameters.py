"""What the routes are given: the addresses' windows, instants and cursors, and where reports are kept."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Path, Query, Request

from clickpulse.errors import ConfigurationError
from clickpulse.windows import MinuteWindow
from dashboard_api.problems import invalid_parameter
from dashboard_api.repository import Listing, Position, ReportRepository

MAX_REVISION = 2**31 - 1
MAX_PAGE = 500
MAX_SUMMARIES = 1500
"""A day with some room; one takes about 250 bytes."""

_EXAMPLE = "2026-11-22T10:05Z"


@dataclass(frozen=True)
class Span:
    """Minutes that start in `[start, end)`."""

    start: datetime | None
    end: datetime | None


def window(
    window: Annotated[str, Path(description="the minute's start, ISO 8601 with a zone", examples=[_EXAMPLE])],
) -> MinuteWindow:
    return _window("window", window)


def listing(
    *,
    from_: Annotated[
        str | None,
        Query(alias="from", description="minutes that start here or later; ISO 8601, UTC", examples=[_EXAMPLE]),
    ] = None,
    to: Annotated[str | None, Query(description="minutes that start before this; ISO 8601, UTC")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="reports a page")] = 60,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the page before")] = None,
    all_revisions: Annotated[bool, Query(description="every revision, not only the highest of each minute")] = False,
    complete: Annotated[
        bool | None, Query(description="only minutes of which the highest revision is complete, or is not")
    ] = None,
) -> Listing:
    start, end = _range(from_, to)
    return Listing(limit, start, end, decode_cursor(cursor) if cursor else None, all_revisions, complete)


def span(
    from_: Annotated[
        str, Query(alias="from", description="minutes that start here or later; ISO 8601, UTC", examples=[_EXAMPLE])
    ],
    to: Annotated[
        str, Query(description="minutes that start before this; ISO 8601, UTC", examples=["2026-11-23T10:05Z"])
    ],
) -> Span:
    return Span(*_range(from_, to))


def encode_cursor(position: Position) -> str:
    return base64.urlsafe_b64encode(f"{position.window}/{position.revision}".encode()).decode().rstrip("=")


def decode_cursor(text: str) -> Position:
    """Where a page starts; `ProblemError` (422) if the text is not of `encode_cursor`'s making."""
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
        start, _, revision = decoded.partition("/")
        position = Position(MinuteWindow.parse(start), int(revision))
    except (binascii.Error, ValueError, ConfigurationError, OverflowError):
        raise invalid_parameter("cursor", "is not one that this API gave: leave it out for the first page") from None
    if not 0 <= position.revision <= MAX_REVISION:
        raise invalid_parameter("cursor", "is not one that this API gave: leave it out for the first page")
    return position


def _window(name: str, text: str) -> MinuteWindow:
    try:
        return MinuteWindow.parse(text)
    except ConfigurationError as error:
        raise invalid_parameter(name, str(error)) from None
    except OverflowError:
        raise invalid_parameter(name, f"{text!r} is out of range") from None


def _range(from_: str | None, to: str | None) -> tuple[datetime | None, datetime | None]:
    start, end = _instant("from", from_), _instant("to", to)
    if start and end and start > end:
        raise invalid_parameter("from", f"is later than to ({start.isoformat()} > {end.isoformat()})")
    return start, end


def _instant(name: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise invalid_parameter(name, f"{text!r} has no time zone: write it as {text}Z for UTC")
        return moment.astimezone(UTC)
    except ValueError:
        hint = "; a + has to be written %2B in an address" if " " in text else ""
        raise invalid_parameter(name, f"{text!r} is not an ISO 8601 time such as {_EXAMPLE}{hint}") from None
    except OverflowError:
        raise invalid_parameter(name, f"{text!r} is out of range") from None


def repository(request: Request) -> ReportRepository:
    kept: ReportRepository = request.app.state.repository
    return kept


Repository = Annotated[ReportRepository, Depends(repository)]
WindowParameter = Annotated[MinuteWindow, Depends(window)]
SpanParameter = Annotated[Span, Depends(span)]
ListingParameter = Annotated[Listing, Depends(listing)]
RevisionParameter = Annotated[int | None, Query(ge=0, le=MAX_REVISION, description="default: the highest")]
