"""Posting reports, and withdrawing them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Request, Response

from clickpulse.reports import Report
from clickpulse.stored_reports import BatchOutcome, Expiry, RevisionList, StoredReport
from dashboard_api.answers import entity_tag, freshness_seconds, json_answer, stored_report
from dashboard_api.auth import Scope, require
from dashboard_api.bodies import parse_batch, posted_batch, posted_report
from dashboard_api.example_report import EXAMPLE_OUTCOMES, EXAMPLE_STORED_REPORT
from dashboard_api.metrics import Metrics
from dashboard_api.openapi import POSTED_BATCH, POSTED_BODY, Responses, problems
from dashboard_api.parameters import Repository, RevisionParameter, WindowParameter
from dashboard_api.problems import report_not_found
from dashboard_api.repository import Outcome, ReportConflictError, UnstorableReportError

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

EXPIRED_AT_ONCE = 1440
"""Minutes that one call deletes at most: well below a statement's time limit."""

_TOLD: Responses = {
    200: {
        "description": "An outcome for each report, in the order of the reports",
        "content": {"application/json": {"example": EXAMPLE_OUTCOMES}},
    }
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
    except ReportConflictError as error:
        _count(metrics, error)
        raise
    _count(metrics, (row, created))
    status = HTTPStatus.CREATED if created else HTTPStatus.OK
    location = f"/api/v1/reports/{row.window}?revision={row.revision}"
    return json_answer(stored_report(row), entity_tag([row]), status, {"Location": location})


@router.post(
    "/batch",
    tags=["reports"],
    summary="Post many reports",
    response_model=list[BatchOutcome],
    dependencies=[Depends(require(Scope.WRITE))],
    openapi_extra=POSTED_BATCH,
    responses=_TOLD | problems(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
)
def post_batch(request: Request, body: Annotated[bytes, Depends(posted_batch)], kept: Repository) -> Response:
    """Store each report as a single post would, and tell what became of it: `created`, `unchanged` (it was stored
    before), `conflict` (other content is), or `invalid`. A refused one stops no other; the whole may be repeated.
    """
    members = parse_batch(body)
    reports = [member for member in members if isinstance(member, Report)]
    found = iter(kept.add_all(reports))
    told = []
    for member in members:
        if isinstance(member, BatchOutcome):
            told.append(member)
            continue
        outcome = next(found)
        _count(request.app.state.metrics, outcome)
        told.append(_told(member, outcome))
    return json_answer([one.model_dump(mode="json", exclude=None if one.detail else {"detail"}) for one in told])


@router.post(
    "/expire",
    tags=["administration"],
    summary="Delete reports that are kept no longer",
    response_model=Expiry,
    dependencies=[Depends(require(Scope.WRITE))],
)
def expire(request: Request, kept: Repository) -> Response:
    """Delete reports older than the service's own setting (`REPORT_REPORTS_RETENTION_DAYS`), of some minutes at a time,
    the oldest first, and the accounts of such minutes.

    The caller can't say what is deleted, so whoever may post may tell the service that it is time.
    """
    before = datetime.now(UTC) - timedelta(days=request.app.state.settings.reports_retention_days)
    request.app.state.accounts.expire(before)
    deleted = kept.expire(before, EXPIRED_AT_ONCE)
    minutes = {window for window, _ in deleted}
    request.app.state.metrics.expired.inc(len(deleted))
    if deleted:
        log.info("reports expired", revisions=len(deleted), first=str(min(minutes)), last=str(max(minutes)))
    more = len(minutes) == EXPIRED_AT_ONCE
    found = Expiry(before=before, minutes=len(minutes), revisions=len(deleted), more=more)
    return json_answer(found.model_dump(mode="json"))


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


def _told(report: Report, outcome: Outcome) -> BatchOutcome:
    told = partial(BatchOutcome, window=report.window, revision=report.revision)
    if isinstance(outcome, ReportConflictError):
        return told(outcome="conflict", detail=str(outcome))
    if isinstance(outcome, UnstorableReportError):
        return told(outcome="invalid", detail=str(outcome))
    return told(outcome="created" if outcome[1] else "unchanged")


def _count(metrics: Metrics, outcome: Outcome) -> None:
    """Only valid reports are counted."""
    if isinstance(outcome, ReportConflictError):
        metrics.posts.labels("conflict").inc()
    elif not isinstance(outcome, UnstorableReportError):
        row, created = outcome
        metrics.posts.labels("created" if created else "unchanged").inc()
        if created:
            metrics.freshness.labels("later" if row.revision else "first").observe(freshness_seconds(row))
