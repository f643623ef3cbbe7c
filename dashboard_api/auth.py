"""Who may do what: bearer tokens with scopes (RFC 6750), and how often each may ask.

Routes ask for a scope with `require`. Several tokens may have the same scope, so that one can be replaced while both
are taken. A token appears in a log only as the start of its hash, which tells which of them is still in use.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from clickpulse.settings import tokens_of
from dashboard_api.problems import ProblemError
from dashboard_api.settings import ReportApiSettings

_REALM = 'Bearer realm="clickpulse"'


class Scope(StrEnum):
    READ = "reports:read"
    WRITE = "reports:write"
    ADMIN = "admin"


@dataclass(frozen=True)
class Caller:
    """The bearer of a known token; `name` is the start of the token's SHA-256."""

    name: str
    scopes: frozenset[Scope]


_bearer = HTTPBearer(
    auto_error=False,
    description="`REPORT_API_READ_TOKEN`, `REPORT_API_WRITE_TOKEN`, or `REPORT_API_ADMIN_TOKEN`, which may do both.",
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


class Tokens:
    """The tokens of the settings, kept as hashes."""

    def __init__(self, settings: ReportApiSettings) -> None:
        self.open_scopes = frozenset({Scope.READ} if settings.open_reads else ())
        granted: dict[bytes, frozenset[Scope]] = {}
        for value, scopes in (
            (settings.read_token, {Scope.READ}),
            (settings.write_token, {Scope.WRITE}),
            (settings.admin_token, set(Scope)),
        ):
            for token in tokens_of(value):
                digest = _digest(token)
                granted[digest] = granted.get(digest, self.open_scopes) | scopes
        self._granted = granted

    def caller(self, token: str) -> Caller | None:
        """The token's bearer, None if it is not known; takes as long for any token."""
        digest = _digest(token)
        found = None
        for known, scopes in self._granted.items():
            if secrets.compare_digest(digest, known):
                found = Caller(digest.hex()[:8], scopes)
        return found


def require(scope: Scope) -> Callable[..., None]:
    """A dependency that refuses callers who may not, or ask too often: 401, 403 or 429."""
    kind = "reads" if scope is Scope.READ else "writes"

    def check(request: Request, credentials: Credentials = None) -> None:
        caller = _identify(request, credentials)
        # Requests with an unknown token count for the client's address, so that tokens can't be guessed at any speed.
        who = f"token:{caller.name}" if caller else request.client.host if request.client else "unknown"
        request.state.rate_limit = request.app.state.limits.count(kind, who)
        if caller or credentials is None:
            _grant(scope, caller.scopes if caller else request.app.state.tokens.open_scopes, caller)
        else:
            raise _unauthorized("the bearer token is not known", f'{_REALM}, error="invalid_token"')

    return check


def require_for_metrics(request: Request, credentials: Credentials = None) -> None:
    """A dependency for `/metrics`, which is open by setting and never limited."""
    if not request.app.state.settings.open_metrics:
        caller = _identify(request, credentials)
        _grant(Scope.READ, caller.scopes if caller else frozenset(), caller)


def _grant(scope: Scope, scopes: frozenset[Scope], caller: Caller | None) -> None:
    if scope in scopes:
        return
    if caller is None:
        raise _unauthorized(f"{scope} needs a bearer token: send `Authorization: Bearer …`", _REALM)
    raise ProblemError(
        HTTPStatus.FORBIDDEN,
        "scope-missing",
        f"the token lacks the scope {scope}",
        headers={"WWW-Authenticate": f'{_REALM}, error="insufficient_scope", scope="{scope}"'},
    )


def _identify(request: Request, credentials: HTTPAuthorizationCredentials | None) -> Caller | None:
    """The bearer of the request's token; None without one, or where it is not known."""
    caller: Caller | None = request.app.state.tokens.caller(credentials.credentials) if credentials else None
    if caller:
        request.state.caller = caller.name
    return caller


def _unauthorized(detail: str, challenge: str) -> ProblemError:
    return ProblemError(HTTPStatus.UNAUTHORIZED, "unauthorized", detail, headers={"WWW-Authenticate": challenge})


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
