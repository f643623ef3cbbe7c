"""Fetches what the page shows: reports by conditional requests, health pages in the background.

One of each is shared by all open pages, so the services are asked as often for ten readers as for one.
"""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from pydantic import ValidationError

from clickpulse.accounting.record import AccountedMinute, AccountList
from clickpulse.clients import report_reader
from clickpulse.settings import ReportReaderSettings
from clickpulse.stored_reports import ReportPage, StoredReport
from clickpulse.windows import MinuteWindow
from dashboard_ui.services import Answer

HOUR_MINUTES = 60
KEPT_RANGES = 16


@dataclass(frozen=True)
class Hour:
    """Up to 61 reports, newest minute first, each in its highest revision: an hour, and the minute before.

    `problem` says why they could not be brought up to date; the reports are then the last known.
    `seconds` is how long the last answer took.
    """

    reports: tuple[StoredReport, ...] = ()
    problem: str | None = None
    seconds: float | None = None
    tag: str | None = None

    @property
    def newest(self) -> StoredReport | None:
        return self.reports[0] if self.reports else None


@dataclass(frozen=True)
class Accounts:
    """The accounts of the last hour's minutes, newest minute first; `problem` says why they could not be read."""

    minutes: tuple[AccountedMinute, ...] = ()
    problem: str | None = None
    tag: str | None = None


def reports_client(settings: ReportReaderSettings) -> httpx.Client:
    """A client of the report API that gives up soon; the caller closes it."""
    return report_reader(settings, seconds=5, connect_seconds=2)


class ReportSource:
    """The hours that readers look at, asked for at most once in `min_age_seconds`, and only for news."""

    def __init__(
        self, client: httpx.Client, min_age_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._min_age = min_age_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[MinuteWindow | None, tuple[float, Hour]] = OrderedDict()

    def hour(self, last: MinuteWindow | None = None) -> Hour:
        """The hour up to and with `last`; without one, up to the newest report there is."""
        with self._lock:
            asked_at, known = self._kept.get(last, (float("-inf"), Hour()))
            if self._clock() - asked_at < self._min_age:
                return known
            fresh = self._fetch(last, known)
            self._kept[last] = (self._clock(), fresh)
            self._kept.move_to_end(last)
            if len(self._kept) > KEPT_RANGES:
                self._kept.popitem(last=False)
            return fresh

    def _fetch(self, last: MinuteWindow | None, known: Hour) -> Hour:
        parameters = {"limit": str(HOUR_MINUTES + 1)} | ({"to": str(MinuteWindow(last.end))} if last else {})
        headers = {"If-None-Match": known.tag} if known.tag else {}
        started = time.perf_counter()
        try:
            answer = self._client.get("/api/v1/reports", params=parameters, headers=headers)
        except httpx.HTTPError as error:
            return replace(known, problem=f"{self._client.base_url}: {_reason(error)}")
        seconds = time.perf_counter() - started
        if answer.status_code == httpx.codes.NOT_MODIFIED:
            return replace(known, problem=None, seconds=seconds)
        if not answer.is_success:
            return replace(known, problem=f"answered {answer.status_code}: {_detail(answer)}")
        try:
            page = ReportPage.model_validate_json(answer.content)
        except ValidationError as error:
            return replace(known, problem=f"its reports are of another version: {error.errors()[0]['msg']}")
        return Hour(tuple(page.items), None, seconds, answer.headers.get("etag"))


class AccountSource:
    """The accounts of the hour that ends now, asked for at most once in `min_age_seconds`, and only for news."""

    def __init__(
        self,
        client: httpx.Client,
        min_age_seconds: float,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._min_age = timedelta(seconds=min_age_seconds)
        self._clock = clock
        self._lock = threading.Lock()
        self._asked_at = datetime.min.replace(tzinfo=UTC)
        self._known = Accounts()

    def hour(self) -> Accounts:
        """What there is; after a failure the last known."""
        with self._lock:
            now = self._clock()
            if now - self._asked_at >= self._min_age:
                self._known = self._fetch(MinuteWindow.containing(now), self._known)
                self._asked_at = now
            return self._known

    def _fetch(self, current: MinuteWindow, known: Accounts) -> Accounts:
        first = MinuteWindow(current.start - timedelta(minutes=HOUR_MINUTES))
        parameters = {"from": str(first), "to": str(current), "limit": str(HOUR_MINUTES)}
        headers = {"If-None-Match": known.tag} if known.tag else {}
        try:
            answer = self._client.get("/api/v1/accounts", params=parameters, headers=headers)
        except httpx.HTTPError as error:
            return replace(known, problem=f"{self._client.base_url}: {_reason(error)}")
        if answer.status_code == httpx.codes.NOT_MODIFIED:
            return replace(known, problem=None)
        if not answer.is_success:
            return replace(known, problem=f"answered {answer.status_code}: {_detail(answer)}")
        try:
            found = AccountList.model_validate_json(answer.content)
        except ValidationError as error:
            return replace(known, problem=f"its accounts are of another version: {error.errors()[0]['msg']}")
        return Accounts(tuple(found.items), None, answer.headers.get("etag"))


class HealthSource:
    """Health pages, refreshed in the background: a service that hangs never holds up the page.

    Args:
        addresses: the health page of each service, by name.
        max_age_seconds: then it is asked again.
    """

    def __init__(self, client: httpx.Client, addresses: Mapping[str, str], max_age_seconds: float = 4) -> None:
        self._client = client
        self._addresses = addresses
        self._max_age = max_age_seconds
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(max_workers=len(addresses), thread_name_prefix="health")
        self._pending: dict[str, Future[Answer]] = {}
        self._known: dict[str, tuple[float, Answer]] = {}

    def answers(self, first_wait_seconds: float = 1.5) -> dict[str, Answer]:
        """The last answer of each service; only the very first ones are waited for, and not long."""
        with self._lock:
            for name, address in self._addresses.items():
                asked_at = self._known[name][0] if name in self._known else float("-inf")
                if name not in self._pending and time.monotonic() - asked_at > self._max_age:
                    self._pending[name] = self._pool.submit(self._ask, address)
            wait([future for name, future in self._pending.items() if name not in self._known], first_wait_seconds)
            for name in [name for name, future in self._pending.items() if future.done()]:
                self._known[name] = (time.monotonic(), self._pending.pop(name).result())
            return {name: answer for name, (_, answer) in self._known.items()}

    def _ask(self, address: str) -> Answer:
        try:
            answer = self._client.get(address)
        except httpx.HTTPError as error:
            return Answer(None, {}, f"{address}: {_reason(error)}")
        return Answer(answer.status_code, _mapping(answer))


def _mapping(answer: httpx.Response) -> dict[str, Any]:
    try:
        content = answer.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _detail(answer: httpx.Response) -> str:
    return str(_mapping(answer).get("detail") or answer.reason_phrase)


def _reason(error: Exception) -> str:
    """Why, in the error's words, which are empty for some timeouts."""
    return re.sub(r"^\[Errno -?\d+\] ", "", str(error)) or type(error).__name__
