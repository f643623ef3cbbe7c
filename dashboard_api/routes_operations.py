"""Health and metrics, for supervisors, load balancers and Prometheus. Health is open and never limited."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Depends, Request, Response

from clickpulse.stored_reports import Health
from dashboard_api.auth import require_for_metrics
from dashboard_api.metrics import CONTENT_TYPE
from dashboard_api.openapi import problems

router = APIRouter(tags=["operations"])


@router.get("/healthz", summary="Is the process alive?")
async def healthz() -> Health:
    """200 while the process serves, whatever the database does: restarting it would not help that."""
    return Health(status="ok")


@router.get("/readyz", summary="Can reports be read and stored?", responses=problems(HTTPStatus.SERVICE_UNAVAILABLE))
def readyz(request: Request) -> Health:
    """503 while Postgres can't be reached; goes back to 200 by itself."""
    request.app.state.repository.check()
    return Health(status="ready")


@router.get(
    "/metrics",
    summary="Prometheus metrics",
    response_class=Response,
    dependencies=[Depends(require_for_metrics)],
    responses=problems(HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN),
)
def metrics(request: Request) -> Response:
    """In Prometheus' text format; with `REPORT_API_OPEN_METRICS=false` for the bearers of a read token."""
    return Response(request.app.state.metrics.exposition(request.app.state.repository), media_type=CONTENT_TYPE)
