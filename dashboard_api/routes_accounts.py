"""What became of each minute's messages: posted by the accounting, read by the page."""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import TypeAdapter, ValidationError

from clickpulse.accounting.record import AccountedMinute, AccountList, Posted
from dashboard_api.accounts import AccountRepository
from dashboard_api.answers import json_answer, not_modified, unchanged
from dashboard_api.auth import Scope, require
from dashboard_api.bodies import MAX_BYTES, json_body, pointer, unstorable
from dashboard_api.openapi import Responses, problems
from dashboard_api.parameters import SpanParameter
from dashboard_api.problems import InvalidPart, ProblemError, describe

MOST_ACCOUNTS = 1500
"""A day with some room."""

_MOST_ERRORS = 20
_ACCOUNTS = TypeAdapter(list[AccountedMinute])

router = APIRouter(
    prefix="/api/v1/accounts",
    tags=["accounts"],
    responses=problems(
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.SERVICE_UNAVAILABLE,
    ),
)

_UNCHANGED: Responses = {304: {"description": "Not changed since the answer with the tag in `If-None-Match`"}}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "at most 1 MiB, one account of each minute",
        "content": {
            "application/json": {
                "schema": {"type": "array", "items": {"$ref": "#/components/schemas/AccountedMinute"}},
            }
        },
    }
}


def accounts(request: Request) -> AccountRepository:
    kept: AccountRepository = request.app.state.accounts
    return kept


Accounts = Annotated[AccountRepository, Depends(accounts)]


async def posted_accounts(request: Request) -> list[AccountedMinute]:
    """The request's body.

    Raises:
        ProblemError: 413 too large, 415 not JSON by its header, 422 not accounts, or two of a minute.
    """
    try:
        posted = _ACCOUNTS.validate_json(await json_body(request, MAX_BYTES, "accounts"))
    except ValidationError as error:
        found = error.errors(include_url=False)
        raise _invalid([InvalidPart(detail=describe(one), pointer=pointer(one["loc"])) for one in found]) from None
    except OverflowError as error:  # a time so far off that it has no place in UTC
        raise _invalid([InvalidPart(detail=f"a time is out of range: {error}", pointer="#")]) from None
    if parts := list(unstorable([one.model_dump() for one in posted], ())):
        raise _invalid(parts)
    if len({one.window for one in posted}) < len(posted):
        raise _invalid([InvalidPart(detail="has two accounts of a minute", pointer="#")])
    return posted


@router.post(
    "",
    summary="Post accounts of minutes",
    response_model=Posted,
    dependencies=[Depends(require(Scope.WRITE))],
    openapi_extra=_BODY,
    responses=problems(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
)
def post_accounts(posted: Annotated[list[AccountedMinute], Depends(posted_accounts)], kept: Accounts) -> Response:
    """Of each minute the account that was checked last is kept, so posting again is harmless."""
    stored = kept.put(posted) if posted else 0
    return json_answer(Posted(stored=stored, known=len(posted) - stored).model_dump())


@router.get(
    "",
    summary="Accounts of a range",
    response_model=AccountList,
    dependencies=[Depends(require(Scope.READ))],
    responses=_UNCHANGED,
)
def list_accounts(
    request: Request,
    span: SpanParameter,
    kept: Accounts,
    limit: Annotated[int, Query(ge=1, le=MOST_ACCOUNTS, description="accounts at most, the newest minutes'")] = 60,
) -> Response:
    """Minutes that start in `[from, to)`, newest first: what became of their messages, and what does not add up."""
    items = kept.listed(span.start, span.end, limit)
    checked = [(one["window"], one["checked_at"]) for one in items]
    tag = f'"{hashlib.sha256(repr((checked, str(request.url.query))).encode()).hexdigest()[:32]}"'
    return not_modified(tag) if unchanged(request, tag) else json_answer({"items": items}, tag)


def _invalid(parts: list[InvalidPart]) -> ProblemError:
    first = parts[0]
    more = f" (and {len(parts) - 1} more)" if len(parts) > 1 else ""
    detail = f"not accounts of minutes: {first.pointer}: {first.detail}{more}"
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-accounts", detail, errors=parts[:_MOST_ERRORS])
