"""Posting reports, and withdrawing them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Request, Response

from clickpulse.reports import Report
from clickpulse.stored_reports import RevisionList, StoredReport
from dashboard_api.answers import entity_tag, freshness_seconds, json_answer, stored_report
from dashboard_api.auth import Scope, require
from dashboard_api.bodies import posted_report
from dashboard_api.example_report import EXAMPLE_STORED_REPORT
from dashboard_api.metrics import Metrics
from dashboard_api.openapi import POSTED_BODY, Responses, problems
from dashboard_api.parameters import Repository, RevisionParameter, WindowParameter
from dashboard_api.problems import report_not_found
from dashboard_api.repository import ReportConflictError

router = APIRouter(
    prefix="/api/v1/reports",
    responses=problems(
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.SERVICE_UNAVAILABLE,
    ),
)

_EXAMPLE: dict[str, Any] = {"content": {"application/json": {"example": EXAMPLE_STORED_REPORT}}}
_STORED: Responses = {
    201: {"description": "Stored; `Location` is its address"} | _EXAMPLE,
    200: {"description": "This report was stored before; nothing changed", "model": StoredReport} | _EXAMPLE,
}

log = structlog.get_logger()


@router.post(
    "",
    tags=["reports"],
    summary="Post a report",
    status_code=HTTPStatus.CREATED,
    response_model=StoredReport,
    dependencies=[Depends(require(Scope.WRITE))],
    openapi_extra=POSTED_BODY,
    responses=_STORED
    | problems(HTTPStatus.CONFLICT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
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


@router.delete(
    "/{window}",
    tags=["administration"],
    summary="Withdraw a minute's reports",
    response_model=RevisionList,
    dependencies=[Depends(require(Scope.ADMIN))],
    responses=problems(HTTPStatus.NOT_FOUND),
)
def withdraw(
    request: Request, window: WindowParameter, kept: Repository, revision: RevisionParameter = None
) -> Response:
    """Delete one revision of a minute, or all of them; the answer lists what was deleted.

    For a report that must not be read any more. Its key is free afterwards: the minute's run, cleared in Airflow, posts
    it anew.
    """
    deleted = kept.withdraw(window, revision)
    if not deleted:
        raise report_not_found(window, revision)
    metrics: Metrics = request.app.state.metrics
    for one in deleted:
        metrics.withdrawn.inc()
        log.warning(
            "report withdrawn",
            window=str(window),
            revision=one.revision,
            digest=one.digest,
            token=request.state.caller,
        )
    return json_answer(RevisionList(window=window.start, revisions=deleted).model_dump(mode="json"))
