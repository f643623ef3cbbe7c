"""Post reports to the report API, once or as often as it takes.

Window and revision are the idempotency key, so a repeated post is harmless: the API answers that it has
this report already.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from clickpulse.errors import ConfigurationError, TransientError
from clickpulse.report_calls import BATCH, REPORTS, call
from clickpulse.reports import Report
from clickpulse.stored_reports import BatchOutcome
from clickpulse.windows import MinuteWindow

if TYPE_CHECKING:
    import httpx

BATCH_REPORTS = 500
"""As many as the API takes at once."""

BATCH_BYTES = 8 * 1024**2
"""Half of what the API takes at once: a larger body would only be longer on its way and longer to repeat."""

_MOST_NAMED = 10
_JSON = {"Content-Type": "application/json"}
_OUTCOMES = TypeAdapter(list[BatchOutcome])


class PublishResult(StrEnum):
    CREATED = "created"
    ALREADY_THERE = "already there"


def publish_report(client: httpx.Client, report: Report) -> PublishResult:
    """Give one report, with its timings, to the API.

    Raises:
        TransientError: the API can't be reached or answers 5xx, after several attempts.
        ConfigurationError: the API refuses the report; the message is its problem details.
    """
    answer = call(client, "POST", REPORTS, what=_name(report), content=report.model_dump_json(), headers=_JSON)
    return PublishResult.CREATED if answer.status_code == HTTPStatus.CREATED else PublishResult.ALREADY_THERE


def publish_reports(client: httpx.Client, reports: Sequence[Report]) -> list[PublishResult]:
    """Give many reports to the API, a few hundred at a time; what became of each, in their order.

    A refused report does not hold the others back: all are posted before the refusal is raised. So after an error the
    whole call may be repeated.

    Raises:
        TransientError: the API can't be reached or answers 5xx, after several attempts.
        ConfigurationError: the API refuses a batch, or reports of it: the message names their windows.
    """
    outcomes: list[BatchOutcome] = []
    for texts in _batches(reports):
        what = f"{len(texts)} reports from {_name(reports[len(outcomes)])}"
        answer = call(client, "POST", BATCH, what=what, content=b"[" + b",".join(texts) + b"]", headers=_JSON)
        found = _OUTCOMES.validate_json(answer.content)
        if len(found) != len(texts):
            raise TransientError(f"report API told of {len(found)} outcomes for {what}")
        outcomes += found
    _refuse(reports, outcomes)
    results = {"created": PublishResult.CREATED, "unchanged": PublishResult.ALREADY_THERE}
    return [results[one.outcome] for one in outcomes]


def _batches(reports: Sequence[Report]) -> Iterator[list[bytes]]:
    """The reports as JSON, in groups that the API takes at once."""
    batch: list[bytes] = []
    size = 0
    for report in reports:
        text = report.model_dump_json().encode()
        if batch and (len(batch) == BATCH_REPORTS or size + len(text) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += len(text) + 1
    if batch:
        yield batch


def _refuse(reports: Sequence[Report], outcomes: Sequence[BatchOutcome]) -> None:
    refused = [
        f"{_name(report)}: {one.outcome}: {one.detail}"
        for report, one in zip(reports, outcomes, strict=True)
        if one.outcome in {"conflict", "invalid"}
    ]
    if refused:
        more = f"; and {len(refused) - _MOST_NAMED} more" if len(refused) > _MOST_NAMED else ""
        raise ConfigurationError(
            f"report API refused {len(refused)} of {len(reports)} reports: {'; '.join(refused[:_MOST_NAMED])}{more}"
        )


def _name(report: Report) -> str:
    return f"{MinuteWindow(report.window)} rev {report.revision}"
