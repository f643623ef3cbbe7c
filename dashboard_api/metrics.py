"""The service's Prometheus metrics, one set per application."""

from __future__ import annotations

import time
from collections.abc import Sized

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from clickpulse.errors import TransientError
from dashboard_api.repository import ReportRepository

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Counters and histograms that the routes feed, gauges that are read when asked for.

    Args:
        followers: the open streams.
    """

    def __init__(self, followers: Sized) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self.requests = Counter(
            "clickpulse_http_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self.latency = Histogram(
            "clickpulse_http_request_duration_seconds",
            "From a request's first byte to its answer's last.",
            ("method", "route"),
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=self._registry,
        )
        self.posts = Counter(
            "clickpulse_reports_posted",
            "Valid reports posted: stored, already there with the same content, or refused as other content.",
            ("result",),
            registry=self._registry,
        )
        self.withdrawn = Counter(
            "clickpulse_reports_withdrawn", "Revisions deleted by an administrator.", registry=self._registry
        )
        self.expired = Counter(
            "clickpulse_reports_expired", "Revisions deleted as they are kept no longer.", registry=self._registry
        )
        self.freshness = Histogram(
            "clickpulse_report_freshness_seconds",
            "From a minute's end to the receipt of its report; revision is first (0) or later.",
            ("revision",),
            buckets=(0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 7.5, 10, 15, 30, 60, 120, 300, 900, 3600),
            registry=self._registry,
        )
        self._newest = Gauge(
            "clickpulse_report_newest_window_end_timestamp_seconds",
            "End of the newest minute that has a report; 0 while there is none.",
            registry=self._registry,
        )
        self._newest_age = Gauge(
            "clickpulse_report_newest_window_age_seconds",
            "Seconds since the end of the newest minute that has a report; 0 while there is none.",
            registry=self._registry,
        )
        self._database_up = Gauge(
            "clickpulse_report_database_up", "1 if Postgres answered just now, else 0.", registry=self._registry
        )
        streams = Gauge("clickpulse_report_streams", "Readers who follow the reports now.", registry=self._registry)
        streams.set_function(lambda: len(followers))
        for result in ("created", "unchanged", "conflict"):
            self.posts.labels(result)

    def exposition(self, repository: ReportRepository) -> bytes:
        """The text for Prometheus; with Postgres away the newest window stays as last seen."""
        try:
            newest = repository.newest_window()
        except TransientError:
            self._database_up.set(0)
        else:
            self._database_up.set(1)
            self._newest.set(newest.end.timestamp() if newest else 0)
            self._newest_age.set(time.time() - newest.end.timestamp() if newest else 0)
        return generate_latest(self._registry)
