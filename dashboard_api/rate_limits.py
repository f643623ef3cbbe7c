"""How often one caller may ask in a minute: counted in memory, or in Redis, where replicas count together.

While Redis can't be used, each replica counts in its own memory: a caller may then ask as often of each, and no
request fails. The log says when this begins and ends.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from threading import Lock

import structlog
from limits import RateLimitItemPerMinute
from limits.errors import ConfigurationError as UnknownStorageError
from limits.errors import StorageError
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import MovingWindowRateLimiter

from clickpulse.errors import ConfigurationError
from dashboard_api.problems import ProblemError
from dashboard_api.settings import ReportApiSettings

_REDIS_ANSWER_SECONDS = 0.25
_REDIS_PAUSE_SECONDS = 5.0
"""Redis is not asked for so long after it failed to answer, or each request would wait for it."""

log = structlog.get_logger()


@dataclass(frozen=True)
class Standing:
    """Where a caller stands after a request; `reset` is when its oldest request no longer counts, seconds from now."""

    kind: str
    quota: int
    remaining: int
    reset: int

    @property
    def headers(self) -> dict[str, str]:
        """Fields of the IETF draft "RateLimit header fields for HTTP"."""
        return {
            "RateLimit-Policy": f'"{self.kind}";q={self.quota};w=60',
            "RateLimit": f'"{self.kind}";r={self.remaining};t={self.reset}',
        }


class RateLimits:
    """Counts requests over the last 60 s, by kind (`reads`, `writes`) and caller.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, settings: ReportApiSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._items = {
            "reads": RateLimitItemPerMinute(settings.reads_per_minute),
            "writes": RateLimitItemPerMinute(settings.writes_per_minute),
        }
        self._clock = clock
        self._memory = MovingWindowRateLimiter(MemoryStorage())
        self._shared = _redis(settings)
        self._lock = Lock()
        self._shared_from = 0.0

    def count(self, kind: str, caller: str) -> Standing:
        """Count one request.

        Raises:
            ProblemError: 429, with `Retry-After`, as it was one too many; it was not counted.
        """
        if self._shared is not None and self._clock() >= self._shared_from:
            try:
                standing = self._count(self._shared, kind, caller)
            except StorageError as error:
                self._fall_back(error)
            else:
                self._recovered()
                return standing
        return self._count(self._memory, kind, caller)

    def _count(self, limiter: MovingWindowRateLimiter, kind: str, caller: str) -> Standing:
        item = self._items[kind]
        taken = limiter.hit(item, kind, caller)
        stats = limiter.get_window_stats(item, kind, caller)
        # The library gives a time of the day.
        reset = max(1, math.ceil(stats.reset_time - time.time()))
        standing = Standing(kind, item.amount, max(0, stats.remaining), reset)
        if taken:
            return standing
        raise ProblemError(
            HTTPStatus.TOO_MANY_REQUESTS,
            "rate-limited",
            f"more than {item.amount} {kind} a minute: try again in {reset} s",
            headers={"Retry-After": str(reset)} | standing.headers,
        )

    def _fall_back(self, error: StorageError) -> None:
        with self._lock:
            first, self._shared_from = self._shared_from == 0, self._clock() + _REDIS_PAUSE_SECONDS
        if first:
            cause = type(error.storage_error).__name__
            log.warning("redis can't be used: counting requests in memory, each replica for itself", error=cause)

    def _recovered(self) -> None:
        with self._lock:
            again, self._shared_from = self._shared_from != 0, 0.0
        if again:
            log.info("redis can be used again: counting requests together")


def _redis(settings: ReportApiSettings) -> MovingWindowRateLimiter | None:
    if settings.redis_url is None:
        return None
    password = {"password": settings.redis_password.get_secret_value()} if settings.redis_password else {}
    try:
        storage = storage_from_string(
            settings.redis_url.get_secret_value(),
            wrap_exceptions=True,
            key_prefix="clickpulse:limits",
            socket_timeout=_REDIS_ANSWER_SECONDS,
            socket_connect_timeout=_REDIS_ANSWER_SECONDS,
            **password,
        )
    except (UnknownStorageError, ValueError):
        raise ConfigurationError(
            "REPORT_API_REDIS_URL is no address of a Redis: write it as redis://host:6379/0"
        ) from None
    return MovingWindowRateLimiter(storage)
