"""Reads posted reports: bounded, strict, and with the place of everything that is wrong."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime
from http import HTTPStatus
from typing import Any

from fastapi import Request
from pydantic import ValidationError
from pydantic_core import from_json, to_json

from clickpulse.errors import ConfigurationError
from clickpulse.reports import Report
from clickpulse.stored_reports import BatchOutcome
from clickpulse.windows import MinuteWindow
from dashboard_api.problems import InvalidPart, ProblemError, describe

MAX_BYTES = 1024 * 1024
MAX_BATCH_BYTES = 16 * 1024 * 1024
MAX_BATCH_REPORTS = 500
_MOST_ERRORS = 20


async def posted_report(request: Request) -> Report:
    """The request's body as a report.

    Raises:
        ProblemError: 413 too large, 415 not JSON by its header, 422 not a report.
    """
    return parse(await json_body(request, MAX_BYTES, "a report"))


async def posted_batch(request: Request) -> bytes:
    """The request's body, meant to be an array of reports; reading it is left to `parse_batch`, off the event loop.

    Raises:
        ProblemError: 413 too large, 415 not JSON by its header.
    """
    return await json_body(request, MAX_BATCH_BYTES, "a batch of reports")


def parse_batch(body: bytes) -> list[Report | BatchOutcome]:
    """Each member as a report, or as the outcome `invalid` with what is wrong where.

    Raises:
        ProblemError: 422, the body is not an array of at most `MAX_BATCH_REPORTS`.
    """
    try:
        members = from_json(body)
    except ValueError as error:
        raise _invalid([InvalidPart(detail=str(error), pointer="#")]) from None
    if not isinstance(members, list):
        raise _invalid([InvalidPart(detail="is not an array of reports", pointer="#")])
    if len(members) > MAX_BATCH_REPORTS:
        detail = f"has {len(members)} reports: post at most {MAX_BATCH_REPORTS} at once"
        raise _invalid([InvalidPart(detail=detail, pointer="#")])
    return [_member(member) for member in members]


def _member(member: Any) -> Report | BatchOutcome:
    try:
        text = to_json(member)  # back to JSON, so that it is read by the rules for a single one
        if len(text) > MAX_BYTES:
            raise _too_large(MAX_BYTES, "a report")
        return parse(text)
    except ProblemError as error:
        window, revision = _named(member)
        return BatchOutcome(window=window, revision=revision, outcome="invalid", detail=error.detail)


def _named(member: Any) -> tuple[datetime | None, int | None]:
    """The window and the revision of an invalid report, where it has them."""
    window, revision = (member.get("window"), member.get("revision")) if isinstance(member, dict) else (None, None)
    try:
        start = MinuteWindow.parse(window).start if isinstance(window, str) else None
    except (ConfigurationError, OverflowError):
        start = None
    return start, revision if isinstance(revision, int) and not isinstance(revision, bool) else None


async def json_body(request: Request, most: int, what: str) -> bytes:
    """The body of at most `most` bytes, unread; `ProblemError` (413, 415) where it is larger or not JSON."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        shown = media_type or "missing"
        detail = f"the content type is {shown}: post {what} as application/json"
        raise ProblemError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not-json", detail, headers={"Accept": "application/json"}
        )
    return await _bounded(request, most, what)


def parse(body: bytes) -> Report:
    """Read a report; `ProblemError` (422) says what is wrong where."""
    try:
        report = Report.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_url=False)
        parts = [InvalidPart(detail=describe(one), pointer=pointer(one["loc"])) for one in found]
        raise _invalid(parts) from None
    except OverflowError as error:  # a time so far off that it has no place in UTC
        raise _invalid([InvalidPart(detail=f"a time is out of range: {error}", pointer="#")]) from None
    if parts := list(unstorable(report.model_dump(), ())):
        raise _invalid(parts)
    return report


def pointer(location: tuple[int | str, ...]) -> str:
    """A JSON pointer as a fragment (RFC 6901): `#/by_event_type/PAYMENT/errors`."""
    steps = [str(step).replace("~", "~0").replace("/", "~1") for step in location if step != "[key]"]
    return "/".join(["#", *steps])


async def _bounded(request: Request, most: int, what: str) -> bytes:
    """The body, refused before it is in memory where it is too large."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > most:
        raise _too_large(most, what)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise _too_large(most, what)
    return bytes(body)


def unstorable(value: Any, location: tuple[int | str, ...]) -> Iterator[InvalidPart]:
    """What pydantic takes and JSON or Postgres does not: NaN, infinities, the character NUL."""
    if isinstance(value, float) and not math.isfinite(value):
        yield InvalidPart(detail=f"{value} is not a JSON number", pointer=pointer(location))
    elif isinstance(value, str) and "\x00" in value:
        yield InvalidPart(detail="contains the character NUL", pointer=pointer(location))
    elif isinstance(value, dict):
        for key, member in value.items():
            yield from unstorable(key, (*location, key))
            yield from unstorable(member, (*location, key))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from unstorable(member, (*location, index))


def _invalid(parts: list[InvalidPart]) -> ProblemError:
    first = parts[0]
    more = f" (and {len(parts) - 1} more)" if len(parts) > 1 else ""
    detail = f"not a report: {first.pointer}: {first.detail}{more}"
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-report", detail, errors=parts[:_MOST_ERRORS])


def _too_large(most: int, what: str) -> ProblemError:
    detail = f"{what} has at most {most} bytes"
    return ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", detail, headers={"Connection": "close"})
