"""What a reader has to know before believing the figures, the gravest first.

The texts count no seconds: screen readers would say them again with every refresh.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from clickpulse.stored_reports import StoredReport
from clickpulse.windows import MinuteWindow
from dashboard_ui.data import Accounts, Hour
from dashboard_ui.formats import clock, listing, sentence
from dashboard_ui.minutes import Minute, missing
from dashboard_ui.services import Level, ServiceState

USUAL_DELAY_SECONDS = 5
"""From a minute's end to its report, when all is well."""

OVERDUE_SECONDS = 60
MOST_NAMED = 6


@dataclass(frozen=True)
class Notice:
    """One warning: what is so, and what to do."""

    key: str
    level: Level
    title: str
    text: str
    first: bool = False
    """Whether it stands above everything: the figures below are not of now, or there are none."""


def notices(
    *,
    now: datetime,
    live: Hour,
    picked: MinuteWindow | None,
    report: StoredReport | None,
    minutes: Sequence[Minute],
    services: Sequence[ServiceState],
    stale_seconds: float,
    first_window: MinuteWindow,
    accounts: Accounts | None = None,
) -> list[Notice]:
    """All that is to be warned of."""
    found = [
        _api_down(live),
        _empty(live, now, first_window),
        _stale(live, now, stale_seconds),
        _unaccounted(accounts),
        *(_service(service) for service in services),
        _not_there(picked, report, live),
        _incomplete(report),
        _missing(minutes),
        _earlier(picked, report, live),
        _revised(report),
    ]
    return [notice for notice in found if notice]


def _api_down(live: Hour) -> Notice | None:
    if live.problem is None:
        return None
    kept = "The figures below are the last known ones. " if live.reports else ""
    text = f"{sentence(live.problem)} {kept}`clickpulse status` shows what is down; the page goes on by itself."
    return Notice("api-down", Level.CRITICAL, "The report API does not answer", text, first=True)


def _empty(live: Hour, now: datetime, first_window: MinuteWindow) -> Notice | None:
    if live.reports or live.problem:
        return None
    late = (now - first_window.end).total_seconds() - USUAL_DELAY_SECONDS
    if late <= OVERDUE_SECONDS:
        text = (
            f"The first one, of {clock(first_window.start)} UTC, is expected a few seconds after "
            f"{clock(first_window.end)} UTC. This page shows it by itself."
        )
        return Notice("no-reports", Level.UNKNOWN, "No reports yet", text, first=True)
    text = (
        f"The first one, of {clock(first_window.start)} UTC, was expected soon after {clock(first_window.end)} UTC. "
        "See in Airflow whether the DAG minutely_report is running, and with `clickpulse status` what is down."
    )
    return Notice("no-reports", Level.WARNING, "No reports yet", text, first=True)


def is_stale(live: Hour, now: datetime, stale_seconds: float) -> bool:
    """Whether the newest report is older than it should be."""
    return live.newest is not None and (now - live.newest.window_end).total_seconds() > stale_seconds


def _stale(live: Hour, now: datetime, stale_seconds: float) -> Notice | None:
    newest = live.newest
    if newest is None or not is_stale(live, now, stale_seconds):
        return None
    text = (
        f"The newest minute is {clock(newest.window)} UTC, and one is due every minute. "
        "Look below for the service that is not running, or in Airflow for a failed run of minutely_report."
    )
    return Notice("stale", Level.WARNING, "The figures are old", text, first=True)


def _unaccounted(accounts: Accounts | None) -> Notice | None:
    """Events that are lost or counted twice: the figures of these minutes are wrong."""
    bad = sorted(one.window for one in accounts.minutes if not one.adds_up) if accounts else []
    if not bad:
        return None
    names = [clock(window) for window in bad[-MOST_NAMED:]]
    if len(bad) > MOST_NAMED:
        names.insert(0, f"{len(bad) - MOST_NAMED} earlier ones")
    title = "1 minute does" if len(bad) == 1 else f"{len(bad)} minutes do"
    last = MinuteWindow(bad[-1])
    text = (
        f"{listing(names)} UTC. `clickpulse reconcile {MinuteWindow(bad[0])} {MinuteWindow(last.end)}` names what is "
        "missing or too many, with partitions and offsets."
    )
    return Notice("unaccounted", Level.CRITICAL, f"{title} not add up", text)


def _service(service: ServiceState) -> Notice | None:
    """A service that is not well; the report API has a notice of its own."""
    if service.level in {Level.OK, Level.UNKNOWN} or service.name == "Report API":
        return None
    return Notice("service", service.level, f"{service.name}: {service.word}", sentence(service.reason))


def _not_there(picked: MinuteWindow | None, report: StoredReport | None, live: Hour) -> Notice | None:
    if picked is None or report is not None or (live.problem and not live.reports):
        return None
    text = "Pick another minute, or Latest. A minute gets its report a few seconds after its end."
    return Notice("no-such-minute", Level.WARNING, f"There is no report of {picked}", text, first=True)


def _incomplete(report: StoredReport | None) -> Notice | None:
    if report is None or report.complete:
        return None
    text = f"{sentence(report.completeness.reason)} What arrives later makes a new revision."
    return Notice("incomplete", Level.WARNING, "This minute is incomplete", text)


def _missing(minutes: Sequence[Minute]) -> Notice | None:
    windows = missing(minutes)
    if not windows:
        return None
    names = [clock(window) for window in windows[-MOST_NAMED:]]
    if len(windows) > MOST_NAMED:
        names.insert(0, f"{len(windows) - MOST_NAMED} earlier ones")
    title = "1 minute of the hour has" if len(windows) == 1 else f"{len(windows)} minutes of the hour have"
    text = f"{listing(names)} UTC. They follow by themselves unless a run of report_revisions fails in Airflow."
    return Notice("missing", Level.WARNING, f"{title} no report", text)


def _earlier(picked: MinuteWindow | None, report: StoredReport | None, live: Hour) -> Notice | None:
    if picked is None or report is None or live.newest is None or live.newest.window == report.window:
        return None
    text = f"The latest is {clock(live.newest.window)} UTC. Pick Latest to follow."
    return Notice("earlier", Level.UNKNOWN, f"You are looking at {picked}", text, first=True)


def _revised(report: StoredReport | None) -> Notice | None:
    if report is None or not report.revision:
        return None
    reason = report.revision_reason or "the reason is not given"
    return Notice("revised", Level.UNKNOWN, f"Revision {report.revision} of this minute", sentence(reason))
