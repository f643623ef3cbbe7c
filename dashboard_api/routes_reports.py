"""`/api/v1/reports` and the report's schema."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from clickpulse.reports import Report, report_json_schema
from clickpulse.stored_reports import ReportPage, RevisionList, StoredReport
from clickpulse.windows import MinuteWindow
from dashboard_api.answers import entity_tag, freshness_seconds, json_answer, not_modified, stored_report, unchanged
from dashboard_api.auth import Scope, require
from dashboard_api.bodies import posted_report
from dashboard_api.example_report import EXAMPLE_STORED_REPORT
from dashboard_api.metrics import Metrics
from dashboard_api.openapi import POSTED_BODY, Responses, problems
from dashboard_api.parameters import (
    ListingParameter,
    RevisionParameter,
    WindowParameter,
    encode_cursor,
)
from dashboard_api.problems import ProblemError
from dashboard_api.repository import Position, ReportConflictError, ReportRepository, StoredRow

router = APIRouter(prefix="/api/v1")

_reading = [Depends(require(Scope.READ))]
_EXAMPLE: dict[str, Any] = {"content": {"application/json": {"example": EXAMPLE_STORED_REPORT}}}
_UNCHANGED: Responses = {304: {"description": "Not changed since the answer with the tag in `If-None-Match`"}}
_FOUND: Responses = {200: _EXAMPLE, **_UNCHANGED}
_STORED: Responses = {
    201: {"description": "Stored; `Location` is its address"} | _EXAMPLE,
    200: {"description": "This report was stored before; nothing changed", "model": StoredReport} | _EXAMPLE,
}
_UNAVAILABLE = (HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE)


def repository(request: Request) -> ReportRepository:
    kept: ReportRepository = request.app.state.repository
    return kept


Repository = Annotated[ReportRepository, Depends(repository)]


@router.post(
    "/reports",
    tags=["reports"],
    summary="Post a report",
    status_code=HTTPStatus.CREATED,
    response_model=StoredReport,
    dependencies=[Depends(require(Scope.WRITE))],
    openapi_extra=POSTED_BODY,
    responses=_STORED
    | problems(
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.CONFLICT,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        *_UNAVAILABLE,
    ),
)
def post_report(request: Request, report: Annotated[Report, Depends(posted_report)], kept: Repository) -> Response:
    """Store one revision of a minute. Window and revision are the idempotency key: posting the same
    content again is harmless (`timings` do not count), other content under the key is refused.
    """
    metrics: Metrics = request.app.state.metrics
    try:
        row, created = kept.add(report)
    except ReportConflictError:
        metrics.posts.labels("conflict").inc()
        raise
    metrics.posts.labels("created" if created else "unchanged").inc()
    if created:
        metrics.freshness.labels("later" if row.revision else "first").observe(freshness_seconds(row))
    status = HTTPStatus.CREATED if created else HTTPStatus.OK
    location = f"/api/v1/reports/{row.window}?revision={row.revision}"
    return json_answer(stored_report(row), entity_tag([row]), status, {"Location": location})


@router.get(
    "/reports/latest",
    tags=["reports"],
    summary="The newest minute's report",
    response_model=StoredReport,
    dependencies=_reading,
    responses=_FOUND | problems(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE),
)
def latest_report(request: Request, kept: Repository) -> Response:
    """The highest revision of the newest minute."""
    row = kept.latest()
    if row is None:
        detail = "no report has been posted yet"
        raise ProblemError(HTTPStatus.NOT_FOUND, "no-reports-yet", detail)
    return _single(request, row)


@router.get(
    "/reports",
    tags=["reports"],
    summary="Reports of a range",
    response_model=ReportPage,
    dependencies=_reading,
    responses=_UNCHANGED | problems(*_UNAVAILABLE),
)
def list_reports(request: Request, listing: ListingParameter, kept: Repository) -> Response:
    """Minutes that start in `[from, to)`, newest first, the highest revision of each."""
    listing, limit = replace(listing, limit=listing.limit + 1), listing.limit  # one more: is there a next page?
    tag = entity_tag(kept.rows(listing, bodies=False), str(request.url.query))
    if unchanged(request, tag):
        return not_modified(tag)
    found = kept.rows(listing)
    rows, more = found[:limit], len(found) > limit
    cursor = encode_cursor(Position(rows[-1].window, rows[-1].revision)) if more else None
    headers = {}
    if cursor:
        headers["Link"] = f'<{request.url.include_query_params(cursor=cursor)}>; rel="next"'
    content = {"items": [stored_report(row) for row in rows], "next_cursor": cursor}
    return json_answer(content, entity_tag(found, str(request.url.query)), headers=headers)


@router.get(
    "/reports/{window}",
    tags=["reports"],
    summary="One minute's report",
    response_model=StoredReport,
    dependencies=_reading,
    responses=_FOUND | problems(HTTPStatus.NOT_FOUND, *_UNAVAILABLE),
)
def one_report(
    request: Request, window: WindowParameter, kept: Repository, revision: RevisionParameter = None
) -> Response:
    """A minute's report: its highest revision, or the one asked for."""
    row = kept.one(window, revision)
    if row is None:
        raise _not_found(window, revision)
    return _single(request, row)


@router.get(
    "/reports/{window}/revisions",
    tags=["reports"],
    summary="A minute's revisions",
    response_model=RevisionList,
    dependencies=_reading,
    responses=_UNCHANGED | problems(HTTPStatus.NOT_FOUND, *_UNAVAILABLE),
)
def revisions(request: Request, window: WindowParameter, kept: Repository) -> Response:
    """Every revision, the highest first, with why it was made."""
    found = kept.revisions(window)
    if not found:
        raise _not_found(window, None)
    content = RevisionList(window=window.start, revisions=found).model_dump(mode="json")
    rows = [StoredRow(window, one.revision, one.digest, one.received_at, None) for one in found]
    tag = entity_tag(rows, "revisions")
    return not_modified(tag) if unchanged(request, tag) else json_answer(content, tag)


@router.get("/schemas/report", tags=["schemas"], summary="JSON Schema of a report")
def report_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of what is posted."""
    return report_json_schema()


def _single(request: Request, row: StoredRow) -> Response:
    tag = entity_tag([row])
    return not_modified(tag) if unchanged(request, tag) else json_answer(stored_report(row), tag)


def _not_found(window: MinuteWindow, revision: int | None) -> ProblemError:
    what = f"no report of {window}" if revision is None else f"no revision {revision} of {window}"
    detail = f"there is {what}; /api/v1/reports lists what there is"
    return ProblemError(HTTPStatus.NOT_FOUND, "report-not-found", detail)
