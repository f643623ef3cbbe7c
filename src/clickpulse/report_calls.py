"""One call of the report API: retried while that may help, and its refusals in words."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import httpx
import stamina

from clickpulse.errors import ConfigurationError, TransientError

REPORTS = "/api/v1/reports"
BATCH = f"{REPORTS}/batch"
SUMMARIES = f"{REPORTS}/summaries"
HOLDINGS = f"{REPORTS}/holdings"
EXPIRE = f"{REPORTS}/expire"

ATTEMPTS = 4
"""Over about a second; Airflow retries the task for longer outages."""

_WORTH_A_RETRY = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


def call(client: httpx.Client, method: str, path: str, *, what: str, **options: Any) -> httpx.Response:
    """The answer, where it is a success; the call must be harmless to repeat.

    Args:
        client: with the API's address and a token.
        method: HTTP's.
        path: of the call, from the API's root.
        what: what the call is about, for messages.
        options: httpx's, such as `content`.

    Raises:
        TransientError: the API can't be reached or answers 5xx or 429, after `ATTEMPTS` attempts.
        ConfigurationError: the API refuses; the message is its problem details.
    """
    # Not the decorator: it logs the arguments of what it repeats, and these are reports.
    for attempt in stamina.retry_context(
        on=TransientError, attempts=ATTEMPTS, wait_initial=0.1, wait_max=1.0, wait_jitter=0.1
    ):
        with attempt:
            return _call(client, method, path, what, options)
    raise AssertionError("unreachable: the retry context returns or raises")


def _call(client: httpx.Client, method: str, path: str, what: str, options: dict[str, Any]) -> httpx.Response:
    try:
        response = client.request(method, path, **options)
    except httpx.TransportError as error:
        raise TransientError(f"report API at {client.base_url} does not answer for {what}: {error!r}") from error
    if response.is_success:
        return response
    problem = f"report API answered {response.status_code} for {what}: {_problem(response)}"
    if response.is_server_error or response.status_code in _WORTH_A_RETRY:
        raise TransientError(problem)
    raise ConfigurationError(problem)


def _problem(response: httpx.Response) -> str:
    """The problem details (RFC 9457) in one line; the body's start where it is something else."""
    try:
        details = response.json()
    except ValueError:
        return response.text[:200] or response.reason_phrase
    if not isinstance(details, dict):
        return str(details)[:200]
    text = ": ".join(str(details[name]) for name in ("title", "detail") if details.get(name))
    fields = [f"{_place(error)}: {error.get('detail')}" for error in details.get("errors") or []]
    return "; ".join([text, *fields] if text else fields) or str(details)[:200]


def _place(error: dict[str, str]) -> str:
    """Where in the report, as a JSON pointer, or which parameter."""
    return error.get("pointer") or error.get("parameter") or "?"
