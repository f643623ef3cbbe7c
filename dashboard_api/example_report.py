"""A report for the API's documentation: true to the model, checked by a test."""

from __future__ import annotations

from typing import Any

_LATENCY = {"mean": 96.4, "p50": 82.0, "p90": 168.0, "p95": 214.5, "p99": 391.2, "max": 903.0}
_SLOW = {"mean": 412.7, "p50": 356.0, "p90": 742.0, "p95": 981.0, "p99": 1804.6, "max": 4120.0}


def _stats(events: int, codes: dict[str, int], latency: dict[str, float]) -> dict[str, Any]:
    errors = sum(codes.values())
    return {
        "events": events,
        "successes": events - errors,
        "errors": errors,
        "success_rate": round((events - errors) / events, 6),
        "error_rate": round(errors / events, 6),
        "error_codes": codes,
        "latency_ms": latency,
    }


EXAMPLE_REPORT: dict[str, Any] = {
    "schema_version": "1",
    "window": "2026-11-22T10:05:00Z",
    "window_end": "2026-11-22T10:06:00Z",
    "revision": 0,
    "revision_reason": None,
    "changes": None,
    "complete": True,
    "completeness": {
        "complete": True,
        "reason": "the sink's committed offsets passed the minute's end in every partition",
        "partitions": [{"partition": 0, "target_offset": 90210, "committed_offset": 90288}],
    },
    "totals": _stats(30_050, {"404": 41, "500": 12, "503": 187}, _LATENCY) | {"users": 4_120, "sessions": 4_391},
    "by_event_type": {
        "ADD_TO_CART": _stats(4_200, {"500": 8}, _LATENCY),
        "CHECKOUT": _stats(1_900, {"500": 4}, _LATENCY),
        "PAYMENT": _stats(1_450, {"503": 187}, _SLOW),
        "SEARCH": _stats(9_000, {"404": 41}, _LATENCY),
        "VIEW_PRODUCT": _stats(13_500, {}, _LATENCY),
    },
    "anomalies": [
        {
            "event_type": "PAYMENT",
            "metric": "error_rate",
            "direction": "high",
            "severity": "critical",
            "value": 0.128966,
            "expected": 0.021,
            "lower": None,
            "upper": 0.034,
            "score": 24.9,
            "message": "PAYMENT error rate 12.9 % is above 3.4 %, the most that the past 60 minutes suggest",
        }
    ],
    "detector": {
        "name": "robust-deviation",
        "version": "1",
        "parameters": {"threshold": 6.0},
        "baseline_minutes": 60,
    },
    "inputs": {
        "events": "minutes/date=2026-11-22/hour=10/minute=05/rev=0/events.parquet",
        "baseline": "minutes/date=2026-11-22/hour=10/minute=05/rev=0/baseline.parquet",
        "rows": 30_050,
    },
    "timings": {
        "awaited_at": "2026-11-22T10:06:00.412Z",
        "exported_at": "2026-11-22T10:06:00.803Z",
        "detected_at": "2026-11-22T10:06:01.930Z",
        "published_at": "2026-11-22T10:06:02.110Z",
    },
}

EXAMPLE_STORED_REPORT = EXAMPLE_REPORT | {"received_at": "2026-11-22T10:06:02.131Z", "freshness_seconds": 2.131}

EXAMPLE_SUMMARIES: dict[str, Any] = {
    "items": [
        {
            "window": "2026-11-22T10:05:00Z",
            "revision": 1,
            "revision_reason": "2 late events",
            "complete": True,
            "events": 30_052,
            "digest": "9b1d3f0a5c7e2846b0d94f6a18c35e7d2f60b8a4c1e97d53f02a6b8c4d1e7f93",
            "cutoff": {"0": 90_290, "1": 88_412},
            "received_at": "2026-11-22T10:07:03.482Z",
        }
    ],
    "next_from": "2026-11-23T11:05:00Z",
}

EXAMPLE_OUTCOMES: list[dict[str, Any]] = [
    {"window": "2026-11-22T10:05:00Z", "revision": 0, "outcome": "created"},
    {"window": "2026-11-22T10:06:00Z", "revision": 0, "outcome": "unchanged"},
    {
        "window": "2026-11-22T10:07:00Z",
        "revision": 0,
        "outcome": "conflict",
        "detail": "revision 0 of 2026-11-22T10:07Z is stored with other content: "
        "a stored revision never changes, post what changed as the next revision",
    },
]
