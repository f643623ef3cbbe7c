"""Who may do what. One shared token writes; reading is open by default.

Routes ask for a scope; who has which scope is decided in `scopes_of` alone, so tokens with their
own scopes are a change of that one function.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from clickpulse.settings import ReportApiSettings
from dashboard_api.problems import ProblemError


class Scope(StrEnum):
    READ = "reports:read"
    WRITE = "reports:write"


_bearer = HTTPBearer(auto_error=False, description="The token in `REPORT_API_TOKEN`.")


def scopes_of(token: str | None, settings: ReportApiSettings) -> frozenset[Scope]:
    """What the bearer of the token may do; None is a caller without one.

    Raises:
        ProblemError: 401, the token is not one of ours.
    """
    if token is None:
        return frozenset({Scope.READ}) if settings.open_reads else frozenset()
    expected = settings.token.get_secret_value().encode()
    if not secrets.compare_digest(token.encode(), expected):
        raise _unauthorized("the bearer token is not known", 'Bearer error="invalid_token"')
    return frozenset(Scope)


def require(scope: Scope) -> Callable[..., None]:
    """A dependency that refuses callers without the scope: 401 without a token, 403 with one."""

    def check(
        request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)] = None
    ) -> None:
        token = credentials.credentials if credentials else None
        if scope in scopes_of(token, request.app.state.settings):
            return
        if token is None:
            raise _unauthorized(f"{scope} needs a bearer token: send `Authorization: Bearer …`", "Bearer")
        raise ProblemError(HTTPStatus.FORBIDDEN, "scope-missing", f"the token lacks the scope {scope}")

    return check


def _unauthorized(detail: str, challenge: str) -> ProblemError:
    return ProblemError(HTTPStatus.UNAUTHORIZED, "unauthorized", detail, headers={"WWW-Authenticate": challenge})
