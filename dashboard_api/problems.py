"""Problem details (RFC 9457): every error answer is `application/problem+json` with the same members."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from clickpulse.errors import ConfigurationError, TransientError
from clickpulse.windows import MinuteWindow
from dashboard_api.repository import ReportConflictError, UnstorableReportError

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 2
_LONGEST_INPUT = 80

log = structlog.get_logger()


class InvalidPart(BaseModel):
    """One thing that is wrong with a request."""

    detail: str
    pointer: str | None = Field(None, description="where in the body: a JSON pointer (RFC 6901) as a fragment")
    parameter: str | None = Field(None, description="which parameter of the address")


class Problem(BaseModel):
    """A problem (RFC 9457). `type` is a stable name to tell problems apart; `detail` is for people."""

    type: str
    title: str
    status: int
    detail: str
    instance: str = Field(description="the path that was asked for")
    errors: list[InvalidPart] | None = None


class ProblemError(Exception):
    """Raised by the routes; becomes the answer.

    Args:
        name: the end of the problem's type, such as `report-not-found`.
        members: more members of the answer (RFC 9457, section 3.2).
    """

    def __init__(
        self,
        status: HTTPStatus,
        name: str,
        detail: str,
        *,
        errors: list[InvalidPart] | None = None,
        headers: dict[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.name = name
        self.detail = detail
        self.errors = errors
        self.headers = headers
        self.members = members


def invalid_parameter(parameter: str, detail: str) -> ProblemError:
    return ProblemError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid-request",
        f"{parameter}: {detail}",
        errors=[InvalidPart(detail=detail, parameter=parameter)],
    )


def report_not_found(window: MinuteWindow, revision: int | None = None) -> ProblemError:
    what = f"no report of {window}" if revision is None else f"no revision {revision} of {window}"
    detail = f"there is {what}; /api/v1/reports lists what there is"
    return ProblemError(HTTPStatus.NOT_FOUND, "report-not-found", detail)


def describe(error: Any) -> str:
    """One line for one of pydantic's errors, with the value where that is short."""
    message = str(error["msg"]).removeprefix("Value error, ")
    given = error.get("input")
    if error["type"] == "missing" or not isinstance(given, str | int | float):
        return message
    shown = repr(given)
    return f"{message} (is {shown})" if len(shown) <= _LONGEST_INPUT else message


def install(app: FastAPI) -> None:
    """Answer every error of the application as a problem."""
    app.exception_handler(ProblemError)(_on_problem)
    app.exception_handler(HTTPException)(_on_http)
    app.exception_handler(RequestValidationError)(_on_invalid)
    app.exception_handler(ReportConflictError)(_on_conflict)
    app.exception_handler(UnstorableReportError)(_on_unstorable)
    app.exception_handler(TransientError)(_on_transient)
    app.exception_handler(ConfigurationError)(_on_misconfigured)
    app.exception_handler(Exception)(_on_bug)


def _answer(request: Request, problem: ProblemError) -> JSONResponse:
    body = Problem(
        type=f"urn:clickpulse:problem:{problem.name}" if problem.name else "about:blank",
        title=problem.status.phrase,
        status=problem.status,
        detail=problem.detail,
        instance=request.url.path,
        errors=problem.errors,
    )
    content = body.model_dump(mode="json", exclude_none=True) | problem.members
    return JSONResponse(content, problem.status, problem.headers, MEDIA_TYPE)


async def _on_problem(request: Request, error: ProblemError) -> JSONResponse:
    return _answer(request, error)


async def _on_http(request: Request, error: HTTPException) -> JSONResponse:
    """The framework's own: 404 of an unknown path, 405, and such."""
    status = HTTPStatus(error.status_code)
    details = {
        HTTPStatus.NOT_FOUND: "there is nothing at this address; /docs lists what there is",
        HTTPStatus.METHOD_NOT_ALLOWED: f"{request.method} is not possible here; see the Allow header",
    }
    headers = dict(error.headers or {})
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_allowed(request))
    return _answer(request, ProblemError(status, "", details.get(status, error.detail), headers=headers))


def _allowed(request: Request) -> list[str]:
    """Every method of the path; the router's own header names those of one route."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    fitting = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    return sorted({method for route in fitting for method in route.methods or ()})


async def _on_invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    """Parameters of the path and query; the body has its own reader."""
    parts = [InvalidPart(detail=describe(one), parameter=str(one["loc"][-1])) for one in error.errors()]
    detail = "; ".join(f"{part.parameter}: {part.detail}" for part in parts)
    return _answer(request, ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", detail, errors=parts))


async def _on_conflict(request: Request, error: ReportConflictError) -> JSONResponse:
    problem = ProblemError(
        HTTPStatus.CONFLICT,
        "report-conflict",
        str(error),
        stored_digest=error.stored_digest,
        posted_digest=error.posted_digest,
    )
    return _answer(request, problem)


async def _on_unstorable(request: Request, error: UnstorableReportError) -> JSONResponse:
    return _answer(request, ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-report", str(error)))


async def _on_transient(request: Request, error: TransientError) -> JSONResponse:
    log.warning("database unavailable", path=request.url.path, error=str(error))
    detail = "the report database does not answer; nothing was changed, try again"
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    problem = ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "database-unavailable", detail, headers=headers)
    return _answer(request, problem)


async def _on_misconfigured(request: Request, error: ConfigurationError) -> JSONResponse:
    log.error("misconfigured", path=request.url.path, error=str(error))
    detail = "the service is misconfigured; its log says how"
    return _answer(request, ProblemError(HTTPStatus.INTERNAL_SERVER_ERROR, "misconfigured", detail))


async def _on_bug(request: Request, error: Exception) -> JSONResponse:
    """The answer to a bug; the server raises the error on after it, so it is not hidden."""
    log.error("unexpected error", path=request.url.path, exc_info=error)
    detail = "an unexpected error; the service's log has it under this request's id"
    return _answer(request, ProblemError(HTTPStatus.INTERNAL_SERVER_ERROR, "", detail))
