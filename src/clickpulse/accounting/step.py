"""Accounts for the minutes that are new, or did not add up, and keeps the outcome in the report API for the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import structlog

from clickpulse.accounting.reconcile import DUE_AFTER, reconcile
from clickpulse.accounting.record import AccountedMinute, AccountList, Posted
from clickpulse.accounting.reports import CountingReport, counting_reports
from clickpulse.accounting.sources import open_sources, rules
from clickpulse.clients import report_reader, report_writer
from clickpulse.report_calls import call
from clickpulse.settings import ReportReaderSettings, ReportSettings, ReportWriterSettings
from clickpulse.windows import MINUTE, MinuteWindow

if TYPE_CHECKING:
    import httpx

ACCOUNTS = "/api/v1/accounts"
SETTLED = timedelta(minutes=3)
"""So old is a report when its minute is accounted for."""

_POSTED_AT_ONCE = 100
_WITHOUT_REPORT = DUE_AFTER + timedelta(minutes=2)
"""So long after its end a minute without a report is accounted for."""

log = structlog.get_logger()


def account_recent(minutes: int, now: datetime | None = None) -> dict[str, Any]:
    """Account for those of the last `minutes` minutes whose account is due, and post it; harmless to repeat.

    Due is a minute whose report is `SETTLED` old, or that has none where it should, if it has not been accounted for
    since its latest revision, or its account did not add up or had messages pending.

    Returns:
        `accounted` minutes; those that do not add up (`problems`: window and kinds); `from` and `to` of what was read.

    Raises:
        UncheckableError: Kafka or S3 has not kept what is needed.
        TransientError: a service does not answer.
        ConfigurationError: a setting or a secret is missing.
    """
    now = now or datetime.now(UTC)
    due = _due(minutes, now)
    if not due:
        return {"from": None, "to": None, "accounted": 0, "problems": []}
    span = due[0], MinuteWindow(due[-1].end)
    with open_sources(span[0]) as sources:
        account = reconcile(sources, span, rules(), now)
    wanted = {window.start for window in due}
    done = [
        AccountedMinute(**minute.model_dump(), checked_at=now) for minute in account.minutes if minute.window in wanted
    ]
    with report_writer(ReportWriterSettings.load()) as writer:
        post_accounts(writer, done)
    problems = [
        {"window": str(MinuteWindow(one.window)), "kinds": sorted({problem.kind for problem in one.problems})}
        for one in done
        if not one.adds_up
    ]
    for problem in problems:
        log.error("minute does not add up", **problem)
    return {"from": str(span[0]), "to": str(span[1]), "accounted": len(done), "problems": problems}


def post_accounts(client: httpx.Client, minutes: Sequence[AccountedMinute]) -> Posted:
    """Give accounts to the report API; of two of a minute it keeps the newer.

    Raises:
        TransientError: the API does not answer, after some attempts.
        ConfigurationError: it refuses.
    """
    stored = known = 0
    for first in range(0, len(minutes), _POSTED_AT_ONCE):
        part = minutes[first : first + _POSTED_AT_ONCE]
        body = f"[{','.join(one.model_dump_json() for one in part)}]"
        headers = {"Content-Type": "application/json"}
        answer = call(client, "POST", ACCOUNTS, what="accounts of minutes", content=body, headers=headers)
        posted = Posted.model_validate_json(answer.content)
        stored, known = stored + posted.stored, known + posted.known
    return Posted(stored=stored, known=known)


def _due(minutes: int, now: datetime) -> list[MinuteWindow]:
    """The windows to account for, in order."""
    first_reported = MinuteWindow.containing(ReportSettings.load().start)
    end = MinuteWindow.containing(now)
    start = max(first_reported, MinuteWindow(end.start - minutes * MINUTE))
    if start >= end:
        return []
    with report_reader(ReportReaderSettings.load()) as client:
        reports = {report.window: report for report in counting_reports(client, start, end)}
        query: dict[str, Any] = {"from": str(start), "to": str(end), "limit": minutes}
        answer = call(client, "GET", ACCOUNTS, what="the accounts of the range", params=query)
    accounts = {MinuteWindow(one.window): one for one in AccountList.model_validate_json(answer.content).items}
    return [window for window in _windows(start, end) if is_due(window, reports.get(window), accounts.get(window), now)]


def is_due(window: MinuteWindow, report: CountingReport | None, account: AccountedMinute | None, now: datetime) -> bool:
    """Whether a minute is to be accounted for (again)."""
    settled = window.end + _WITHOUT_REPORT <= now if report is None else report.received_at + SETTLED <= now
    if not settled or account is None:
        return settled
    revised = report is not None and report.revision != account.revision
    return revised or not account.adds_up or account.pending > 0


def _windows(start: MinuteWindow, end: MinuteWindow) -> Iterator[MinuteWindow]:
    moment = start.start
    while moment < end.start:
        yield MinuteWindow(moment)
        moment += MINUTE
