"""Post a report to the report API, once or as often as it takes.

Window and revision are the idempotency key, so a repeated post is harmless: the API answers that it has
this report already.
"""

from __future__ import annotations

from enum import StrEnum
from http import HTTPStatus

import httpx
import stamina

from clickpulse.errors import ConfigurationError, TransientError
from clickpulse.reports import Report
from clickpulse.windows import MinuteWindow

REPORTS = "/api/v1/reports"
ATTEMPTS = 4
"""Over about a second; Airflow retries the task for longer outages."""

_WORTH_A_RETRY = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


class PublishResult(StrEnum):
    CREATED = "created"
    ALREADY_THERE = "already there"


@stamina.retry(on=TransientError, attempts=ATTEMPTS, wait_initial=0.1, wait_max=1.0, wait_jitter=0.1)
def publish_report(client: httpx.Client, report: Report) -> PublishResult:
    """Give one report, with its timings, to the API.

    Raises:
        TransientError: the API can't be reached or answers 5xx, after `ATTEMPTS` attempts.
        ConfigurationError: the API refuses the report; the message is its problem details.
    """
    name = f"{MinuteWindow(report.window)} rev {report.revision}"
    try:
        response = client.post(REPORTS, content=report.model_dump_json(), headers={"Content-Type": "application/json"})
    except httpx.TransportError as error:
        raise TransientError(f"report API at {client.base_url} does not answer for {name}: {error!r}") from error
    if response.status_code == HTTPStatus.CREATED:
        return PublishResult.CREATED
    if response.status_code == HTTPStatus.OK:
        return PublishResult.ALREADY_THERE
    problem = f"report API answered {response.status_code} for {name}: {_problem(response)}"
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
