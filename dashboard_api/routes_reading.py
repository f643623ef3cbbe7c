"""Reading reports: one, a range, a minute's revisions, and new ones as they come."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.responses import StreamingResponse

from clickpulse.reports import report_json_schema
from clickpulse.stored_reports import Holdings, ReportPage, RevisionList, StoredReport, SummaryPage
from clickpulse.windows import MinuteWindow
from dashboard_api import stream
from dashboard_api.answers import entity_tag, json_answer, not_modified, stored_report, unchanged
from dashboard_api.auth import Scope, require
from dashboard_api.example_report import EXAMPLE_STORED_REPORT, EXAMPLE_SUMMARIES
from dashboard_api.openapi import Responses, problems
from dashboard_api.parameters import (
    MAX_SUMMARIES,
    ListingParameter,
    Repository,
    RevisionParameter,
    SpanParameter,
    WindowParameter,
    encode_cursor,
)
from dashboard_api.problems import ProblemError, report_not_found
from dashboard_api.repository import Position, StoredRow

router = APIRouter(
    prefix="/api/v1/reports",
    tags=["reports"],
    dependencies=[Depends(require(Scope.READ))],
    responses=problems(
        HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE
    ),
)
schemas = APIRouter(prefix="/api/v1/schemas", tags=["schemas"])

_UNCHANGED: Responses = {304: {"description": "Not changed since the answer with the tag in `If-None-Match`"}}
_FOUND: Responses = {200: {"content": {"application/json": {"example": EXAMPLE_STORED_REPORT}}}, **_UNCHANGED}
_SUMMARIES: Responses = {200: {"content": {"application/json": {"example": EXAMPLE_SUMMARIES}}}, **_UNCHANGED}
_EVENTS: Responses = {
    200: {
        "description": "Events named `report`; the data are a stored report, the id is for `Last-Event-ID`",
        "content": {stream.MEDIA_TYPE: {"schema": {"type": "string"}}},
    }
}
_MISSING = problems(HTTPStatus.NOT_FOUND)
_WRONG = problems(HTTPStatus.UNPROCESSABLE_ENTITY)
_MAX_POSITION = 2**63 - 1


@router.get("/latest", summary="The newest minute's report", response_model=StoredReport, responses=_FOUND | _MISSING)
def latest_report(request: Request, kept: Repository) -> Response:
    """The highest revision of the newest minute."""
    row = kept.latest()
    if row is None:
        detail = "no report has been posted yet"
        raise ProblemError(HTTPStatus.NOT_FOUND, "no-reports-yet", detail)
    return _single(request, row)


@router.get("/stream", summary="New reports as they come", response_class=Response, responses=_EVENTS | _WRONG)
def follow(
    request: Request,
    kept: Repository,
    last_event_id: Annotated[int | None, Header(ge=0, le=_MAX_POSITION, description="the last id you have")] = None,
) -> StreamingResponse:
    """Server-sent events: each report when it is stored, also those that other replicas stored.

    Without `Last-Event-ID` they begin with the next report; with it, with the first after that one. A report that is
    withdrawn is not told of.
    """
    followers: stream.Followers = request.app.state.followers
    followers.check_room()
    position = kept.newest_position() if last_event_id is None else last_event_id
    text = stream.events(followers, kept, position)
    return StreamingResponse(
        text, media_type=stream.MEDIA_TYPE, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )


@router.get("", summary="Reports of a range", response_model=ReportPage, responses=_UNCHANGED | _WRONG)
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


@router.get("/summaries", summary="What there is of a range", response_model=SummaryPage, responses=_SUMMARIES | _WRONG)
def summaries(request: Request, span: SpanParameter, kept: Repository) -> Response:
    """Minutes that start in `[from, to)` and have a report, oldest first: the highest revision of each, without its
    body. At most 1,500 at once; `next_from` is where to go on.
    """
    found = kept.summaries(span.start, span.end, MAX_SUMMARIES + 1)  # one more: is there a next page?
    items, more = found[:MAX_SUMMARIES], found[MAX_SUMMARIES:]
    page = SummaryPage(items=items, next_from=more[0].window if more else None)
    rows = [StoredRow(MinuteWindow(one.window), one.revision, one.digest, one.received_at, None) for one in found]
    return _answer(request, entity_tag(rows, str(request.url.query)), page.model_dump(mode="json"))


@router.get("/holdings", summary="How much there is")
def holdings(request: Request, kept: Repository) -> Holdings:
    """Minutes and revisions, from when to when, and how large they are."""
    return Holdings(**kept.holdings(), retention_days=request.app.state.settings.reports_retention_days)


@router.get(
    "/{window}", summary="One minute's report", response_model=StoredReport, responses=_FOUND | _MISSING | _WRONG
)
def one_report(
    request: Request, window: WindowParameter, kept: Repository, revision: RevisionParameter = None
) -> Response:
    """A minute's report: its highest revision, or the one asked for."""
    row = kept.one(window, revision)
    if row is None:
        raise report_not_found(window, revision)
    return _single(request, row)


@router.get(
    "/{window}/revisions",
    summary="A minute's revisions",
    response_model=RevisionList,
    responses=_UNCHANGED | _MISSING | _WRONG,
)
def revisions(request: Request, window: WindowParameter, kept: Repository) -> Response:
    """Every revision, the highest first, with why it was made."""
    found = kept.revisions(window)
    if not found:
        raise report_not_found(window)
    content = RevisionList(window=window.start, revisions=found).model_dump(mode="json")
    rows = [StoredRow(window, one.revision, one.digest, one.received_at, None) for one in found]
    return _answer(request, entity_tag(rows, "revisions"), content)


@schemas.get("/report", summary="JSON Schema of a report")
def report_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of what is posted."""
    return report_json_schema()


def _single(request: Request, row: StoredRow) -> Response:
    return _answer(request, entity_tag([row]), stored_report(row))


def _answer(request: Request, tag: str, content: dict[str, Any]) -> Response:
    return not_modified(tag) if unchanged(request, tag) else json_answer(content, tag)
