"""Reads a posted report: bounded, strict, and with the place of everything that is wrong."""

from __future__ import annotations

import math
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from fastapi import Request
from pydantic import ValidationError

from clickpulse.reports import Report
from dashboard_api.problems import InvalidPart, ProblemError, describe

MAX_BYTES = 1024 * 1024
_MOST_ERRORS = 20


async def posted_report(request: Request) -> Report:
    """The request's body as a report.

    Raises:
        ProblemError: 413 too large, 415 not JSON by its header, 422 not a report.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        shown = media_type or "missing"
        detail = f"the content type is {shown}: post the report as application/json"
        raise ProblemError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not-json", detail, headers={"Accept": "application/json"}
        )
    return parse(await _bounded(request))


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
    if parts := list(_unstorable(report.model_dump(), ())):
        raise _invalid(parts)
    return report


def pointer(location: tuple[int | str, ...]) -> str:
    """A JSON pointer as a fragment (RFC 6901): `#/by_event_type/PAYMENT/errors`."""
    steps = [str(step).replace("~", "~0").replace("/", "~1") for step in location if step != "[key]"]
    return "/".join(["#", *steps])


async def _bounded(request: Request) -> bytes:
    """The body, refused before it is in memory where it is too large."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > MAX_BYTES:
        raise _too_large()
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise _too_large()
    return bytes(body)


def _unstorable(value: Any, location: tuple[int | str, ...]) -> Iterator[InvalidPart]:
    """What pydantic takes and JSON or Postgres does not: NaN, infinities, the character NUL."""
    if isinstance(value, float) and not math.isfinite(value):
        yield InvalidPart(detail=f"{value} is not a JSON number", pointer=pointer(location))
    elif isinstance(value, str) and "\x00" in value:
        yield InvalidPart(detail="contains the character NUL", pointer=pointer(location))
    elif isinstance(value, dict):
        for key, member in value.items():
            yield from _unstorable(key, (*location, key))
            yield from _unstorable(member, (*location, key))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from _unstorable(member, (*location, index))


def _invalid(parts: list[InvalidPart]) -> ProblemError:
    first = parts[0]
    more = f" (and {len(parts) - 1} more)" if len(parts) > 1 else ""
    detail = f"not a report: {first.pointer}: {first.detail}{more}"
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-report", detail, errors=parts[:_MOST_ERRORS])


def _too_large() -> ProblemError:
    detail = f"a report has at most {MAX_BYTES} bytes"
    return ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", detail, headers={"Connection": "close"})
