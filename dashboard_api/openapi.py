"""The parts of the OpenAPI document that FastAPI can't know: the posted body and the problems."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from clickpulse.reports import Report
from dashboard_api.example_report import EXAMPLE_REPORT, EXAMPLE_STORED_REPORT
from dashboard_api.problems import MEDIA_TYPE, Problem

Responses = dict[int | str, dict[str, Any]]
"""What FastAPI's `responses` takes."""

DESCRIPTION = """
Minutely reports on user interactions. A report is known by its **window** (the minute's start, UTC) and
its **revision**; a stored revision never changes, late data make the next one.

Many are posted at once to `POST /api/v1/reports/batch`, which answers with an outcome for each. What there is of a
range, without bodies, is at `GET /api/v1/reports/summaries`.

Readers poll `GET /api/v1/reports/latest` with `If-None-Match`, where 304 costs next to nothing, or follow
`GET /api/v1/reports/stream`. Bearer tokens have the scope `reports:read`, `reports:write` or `admin`, which is all of
them; reading can be open by setting. Each token, or address without one, has so many reads and writes a minute:
`RateLimit` says how many are left, 429 with `Retry-After` that there are none. Errors are problem details (RFC 9457).
"""

TAGS = [
    {"name": "reports", "description": "Post and read reports."},
    {"name": "accounts", "description": "What became of each minute's messages: does it add up?"},
    {"name": "administration", "description": "Needs the scope `admin`."},
    {"name": "schemas", "description": "What a report looks like."},
    {"name": "operations", "description": "Health and metrics."},
]

POSTED_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "at most 1 MiB",
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/Report"}, "example": EXAMPLE_REPORT},
        },
    }
}

POSTED_BATCH: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "at most 500 reports and 16 MiB",
        "content": {
            "application/json": {
                "schema": {"type": "array", "maxItems": 500, "items": {"$ref": "#/components/schemas/Report"}},
                "example": [EXAMPLE_REPORT],
            },
        },
    }
}

_WHEN = {
    HTTPStatus.UNAUTHORIZED: "No token, or one that is not known",
    HTTPStatus.FORBIDDEN: "The token lacks the scope",
    HTTPStatus.NOT_FOUND: "There is no such report",
    HTTPStatus.CONFLICT: "The window and revision are taken by other content",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large: a report has at most 1 MiB, a batch 16 MiB",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is not sent as application/json",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Something in the request is wrong; `errors` says what and where",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many requests within a minute; try again after `Retry-After` seconds",
    HTTPStatus.SERVICE_UNAVAILABLE: "The database does not answer; try again after `Retry-After` seconds",
}


def problems(*statuses: HTTPStatus) -> Responses:
    """The `responses` of a route that answers with these problems."""
    return {int(status): _problem(status) for status in statuses}


def install(app: FastAPI) -> None:
    """Complete the application's OpenAPI document."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
    )
    models = [(Report, "validation"), (Problem, "serialization")]
    _, schemas = models_json_schema(models, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    components = document.setdefault("components", {}).setdefault("schemas", {})
    for name, schema in schemas["$defs"].items():
        components.setdefault(name, schema)
    _restore_examples(document["paths"])
    return document


def _restore_examples(part: Any) -> None:
    """Put the examples back whole: FastAPI drops what is null in them, and a report has to have those members."""
    if isinstance(part, list):
        for member in part:
            _restore_examples(member)
    elif isinstance(part, dict):
        for name, member in part.items():
            if name == "example" and _is_report(member):
                part[name] = EXAMPLE_STORED_REPORT if "received_at" in member else EXAMPLE_REPORT
            elif name == "example" and isinstance(member, list) and any(map(_is_report, member)):
                part[name] = [EXAMPLE_REPORT]
            else:
                _restore_examples(member)


def _is_report(example: Any) -> bool:
    return isinstance(example, dict) and "totals" in example


def _problem(status: HTTPStatus) -> dict[str, Any]:
    example = {
        "type": "about:blank",
        "title": status.phrase,
        "status": int(status),
        "detail": _WHEN[status],
        "instance": "/api/v1/reports",
    }
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}}
    return {"description": _WHEN[status], "content": content}
