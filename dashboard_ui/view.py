"""The page's contents as plain values: every figure and sentence is decided here, without Streamlit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from clickpulse.stored_reports import StoredReport
from clickpulse.windows import MinuteWindow
from dashboard_ui.accounting import Accounting, accounting
from dashboard_ui.cards import Card, cards
from dashboard_ui.data import Accounts, Hour
from dashboard_ui.findings import Finding, findings, verdict
from dashboard_ui.formats import clock, duration, number, seconds
from dashboard_ui.minutes import Minute, hour_of_minutes
from dashboard_ui.notices import Notice, is_stale, notices
from dashboard_ui.rows import CodeRow, TypeRow, code_rows, total_row, type_rows
from dashboard_ui.services import Level, ServiceState
from dashboard_ui.stages import Stage, stages


@dataclass(frozen=True)
class Situation:
    """All that the page is a function of.

    `live` ends with the newest report; `shown` is the hour the reader looks at (the same object unless a
    minute was picked); `picked` is that minute; `first_window` is the first minute that gets a report; `accounts`
    are those of the last hour, whatever minute is shown.
    """

    now: datetime
    live: Hour
    shown: Hour
    picked: MinuteWindow | None
    services: tuple[ServiceState, ...]
    stale_seconds: float
    first_window: MinuteWindow
    accounts: Accounts | None = None


@dataclass(frozen=True)
class Heading:
    """The minute that is shown and what is to be said of it at first sight."""

    key: str
    window: str
    date: str
    verdict: str
    level: Level
    complete: bool
    completeness: str
    revision: str
    freshness: str
    compared: str


@dataclass(frozen=True)
class Page:
    """What is shown; without a report only notices, the accounting and services."""

    notices: list[Notice]
    services: tuple[ServiceState, ...]
    accounting: Accounting | None = None
    heading: Heading | None = None
    findings: list[Finding] | None = None
    cards: list[Card] | None = None
    rows: list[TypeRow] | None = None
    total: TypeRow | None = None
    codes: list[CodeRow] | None = None
    minutes: list[Minute] | None = None
    stages: list[Stage] | None = None


def shown_report(situation: Situation) -> StoredReport | None:
    """The report of the picked minute, or the newest."""
    newest = situation.shown.newest
    if newest is None or (situation.picked and newest.window != situation.picked.start):
        return None
    return newest


def page(situation: Situation) -> Page:
    """Decide all that the page says."""
    report = shown_report(situation)
    minutes = hour_of_minutes(situation.shown.reports)
    told = notices(
        now=situation.now,
        live=situation.live,
        picked=situation.picked,
        report=report,
        minutes=minutes,
        services=situation.services,
        stale_seconds=situation.stale_seconds,
        first_window=situation.first_window,
        accounts=situation.accounts,
    )
    account = accounting(situation.accounts) if situation.accounts else None
    if report is None:
        return Page(told, situation.services, account)
    past = [one for one in situation.shown.reports if one.window < report.window]
    found = findings(report, past)
    return Page(
        notices=told,
        services=situation.services,
        accounting=account,
        heading=_heading(report, found, outdated=_outdated(situation)),
        findings=found,
        cards=cards(report, past),
        rows=type_rows(report, past, found),
        total=total_row(report, past),
        codes=code_rows(report),
        minutes=minutes,
        stages=stages(report),
    )


def age_line(situation: Situation) -> str:
    """How old the newest figures are; the one line that changes with every refresh."""
    newest = situation.live.newest
    if newest is None:
        return f"{clock(situation.now, with_seconds=True)} UTC"
    age = duration((situation.now - newest.window_end).total_seconds())
    return f"{clock(situation.now, with_seconds=True)} UTC · the newest minute ended {age} ago"


def _outdated(situation: Situation) -> bool:
    """Whether the latest report is shown and is not of now: a verdict on the past then, no all-clear."""
    live = situation.live
    old = is_stale(live, situation.now, situation.stale_seconds) or live.problem is not None
    return old and situation.picked is None


def _heading(report: StoredReport, found: list[Finding], *, outdated: bool) -> Heading:
    level, sentence = verdict(report, found)
    if outdated:
        level = Level.UNKNOWN if level is Level.OK else level
        sentence = f"Last known, at {clock(report.window)}: {sentence}"
    history = report.detector.baseline_minutes
    return Heading(
        key=str(MinuteWindow(report.window)),
        window=f"{clock(report.window)} to {clock(report.window_end)} UTC",
        date=f"{report.window:%A, %-d %B %Y}",
        verdict=sentence,
        level=level,
        complete=report.complete,
        completeness="Complete" if report.complete else "Incomplete",
        revision=f"Revision {report.revision}",
        freshness=f"Readable {seconds(report.freshness_seconds)} after the minute",
        compared=f"Compared with {number(history)} past {'minute' if history == 1 else 'minutes'}",
    )
