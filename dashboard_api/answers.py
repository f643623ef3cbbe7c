"""Turns stored rows into answers: JSON in a stable order, with entity tags."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response

from clickpulse.stored_reports import StoredReport
from clickpulse.windows import MINUTE
from dashboard_api.repository import StoredRow

_ORDER = {name: place for place, name in enumerate(StoredReport.model_fields)}


def stored_report(row: StoredRow) -> dict[str, Any]:
    """The report as posted, with its time of receipt.

    It was validated when it came; validating it again would make reports of an earlier version unreadable.
    """
    body = row.body or {}
    added = {"received_at": _iso(row), "freshness_seconds": freshness_seconds(row)}
    return dict(sorted((body | added).items(), key=lambda item: _ORDER.get(item[0], len(_ORDER))))


def freshness_seconds(row: StoredRow) -> float:
    """Seconds from the minute's end to the report's receipt, to the millisecond."""
    return round((row.received_at - (row.window.start + MINUTE)) / timedelta(seconds=1), 3)


def entity_tag(rows: Iterable[StoredRow], *context: str) -> str:
    """A strong tag; a row never changes, so its key and digest say all."""
    keys = [[str(row.window), row.revision, row.digest, _iso(row)] for row in rows]
    return f'"{hashlib.sha256(json.dumps([keys, context]).encode()).hexdigest()[:32]}"'


def unchanged(request: Request, tag: str) -> bool:
    """Whether the caller has this already (If-None-Match, RFC 9110 section 13.1.2)."""
    given = request.headers.get("if-none-match", "")
    known = [one.strip().removeprefix("W/") for one in given.split(",")]
    return tag in known or "*" in known


def not_modified(tag: str, **headers: str) -> Response:
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=_caching(tag) | headers)


def json_answer(
    content: Any, tag: str | None = None, status: HTTPStatus = HTTPStatus.OK, headers: dict[str, str] | None = None
) -> Response:
    """JSON with its entity tag; readers keep it but ask each time whether it changed."""
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(body, status, (_caching(tag) if tag else {}) | (headers or {}), "application/json")


def _caching(tag: str) -> dict[str, str]:
    return {"ETag": tag, "Cache-Control": "no-cache"}


def _iso(row: StoredRow) -> str:
    return row.received_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
