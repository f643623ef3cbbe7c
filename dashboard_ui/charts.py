"""Vega-Lite charts over the hour, as plain dictionaries.

Specifications are written out rather than built with Altair: it and pandas would double the memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clickpulse.events import EventType
from clickpulse.reports import EventTypeStats
from clickpulse.stored_reports import StoredReport
from clickpulse.windows import MINUTE
from dashboard_ui.data import HOUR_MINUTES
from dashboard_ui.formats import LABELS

HEIGHT = 230
"""Of a chart with its axes, pixels."""

MEASURES = {
    "Error rate": ("error_rate", ".1%"),
    "Success rate": ("success_rate", ".1%"),
    "p50": ("p50", ",.0f"),
    "p95": ("p95", ",.0f"),
    "p99": ("p99", ",.0f"),
    "Events": ("events", ",.0f"),
    "Errors": ("errors", ",.0f"),
}
"""What can be charted: the field and its number format (d3). Latencies are in milliseconds."""

_METRIC_OF = {"error_rate": "error_rate", "success_rate": "error_rate", "errors": "error_rate", "events": "events"}

# Okabe and Ito's colours for the colour-blind; lines differ by dashes and legend too.
_LIGHT = {
    EventType.SEARCH: "#0072b2",
    EventType.VIEW_PRODUCT: "#9b4f84",
    EventType.ADD_TO_CART: "#b87700",
    EventType.CHECKOUT: "#007d5c",
    EventType.PAYMENT: "#c44e00",
}
_DARK = {
    EventType.SEARCH: "#56b4e9",
    EventType.VIEW_PRODUCT: "#e09ac4",
    EventType.ADD_TO_CART: "#f0b429",
    EventType.CHECKOUT: "#2ec79b",
    EventType.PAYMENT: "#ff8a4c",
}
_DASHES = {
    EventType.SEARCH: [1, 0],
    EventType.VIEW_PRODUCT: [6, 2],
    EventType.ADD_TO_CART: [2, 2],
    EventType.CHECKOUT: [8, 2, 2, 2],
    EventType.PAYMENT: [12, 3],
}


def chart_rows(reports: Sequence[StoredReport], measure: str) -> list[dict[str, Any]]:
    """A row for each minute and event type; the value of a minute without a report is None, which breaks the line."""
    if not reports:
        return []
    field, _ = MEASURES[measure]
    known = {report.window: report for report in reports}
    newest, oldest = max(known), min(known)
    windows = [newest - MINUTE * back for back in reversed(range(HOUR_MINUTES))]
    return [
        {
            "minute": f"{window:%Y-%m-%dT%H:%M:%SZ}",
            "type": LABELS[event_type],
            "value": _value(report.by_event_type[event_type], field) if report else None,
            "mark": _mark(report, event_type, field, alone=not {window - MINUTE, window + MINUTE} & set(known)),
        }
        for window in windows
        if window >= oldest
        for event_type in LABELS
        for report in [known.get(window)]
    ]


def chart(reports: Sequence[StoredReport], measure: str, *, dark: bool) -> dict[str, Any]:
    """Lines by event type over the hour; triangles are anomalies, rings incomplete minutes."""
    _, number_format = MEASURES[measure]
    colours = _DARK if dark else _LIGHT
    axis = {"format": number_format, "title": None, "tickCount": 4}
    x = {"field": "minute", "type": "temporal", "scale": {"type": "utc"}}
    y = {"field": "value", "type": "quantitative", "axis": axis, "scale": {"zero": measure != "Success rate"}}
    colour = {
        "field": "type",
        "type": "nominal",
        "scale": {"domain": list(LABELS.values()), "range": [colours[event_type] for event_type in LABELS]},
        "legend": None,  # one for all charts is above them
    }
    dash = {
        "field": "type",
        "type": "nominal",
        "scale": {"domain": list(LABELS.values()), "range": [_DASHES[event_type] for event_type in LABELS]},
        "legend": None,
    }
    layers = [
        {"mark": {"type": "line", "strokeWidth": 2}, "encoding": {"y": y, "color": colour, "strokeDash": dash}},
        _marks(y, colour, "anomaly", {"shape": "triangle-up", "size": 90, "filled": True}),
        _marks(y, colour, "incomplete", {"shape": "circle", "size": 50, "filled": False}),
        _marks(y, colour, "alone", {"shape": "circle", "size": 16, "filled": True}),
        _tooltip(number_format, dark=dark),
    ]
    return {
        "height": HEIGHT,
        "background": "transparent",
        "encoding": {"x": x | {"axis": {"format": "%H:%M", "title": None, "tickCount": 6, "grid": False}}},
        # The data stand one level down, where Streamlit does not turn them into a pandas frame.
        "layer": [{"data": {"values": chart_rows(reports, measure)}, "layer": layers}],
    }


def legend(*, dark: bool) -> list[tuple[str, str, list[int]]]:
    """Label, colour and dashes of each line."""
    colours = _DARK if dark else _LIGHT
    return [(label, colours[event_type], _DASHES[event_type]) for event_type, label in LABELS.items()]


def _marks(y: dict[str, Any], colour: dict[str, Any], mark: str, look: dict[str, Any]) -> dict[str, Any]:
    return {
        "transform": [{"filter": f"datum.mark === '{mark}' && datum.value !== null"}],
        "mark": {"type": "point", "opacity": 1} | look,
        "encoding": {"y": y, "color": colour},
    }


def _tooltip(number_format: str, *, dark: bool) -> dict[str, Any]:
    """A rule at the pointed-at minute, with the figures of all event types."""
    fields = [{"field": label, "type": "quantitative", "format": number_format} for label in LABELS.values()]
    when = {"field": "minute", "type": "temporal", "format": "%H:%M", "formatType": "utc", "title": "minute, UTC"}
    opacity = {"condition": {"param": "pointed", "empty": False, "value": 0.5}, "value": 0}
    return {
        "transform": [{"pivot": "type", "value": "value", "groupby": ["minute"]}],
        "mark": {"type": "rule", "color": "#ffffff" if dark else "#18222d"},
        "encoding": {"opacity": opacity, "tooltip": [when, *fields]},
        "params": [
            {
                "name": "pointed",
                "select": {
                    "type": "point",
                    "fields": ["minute"],
                    "nearest": True,
                    "on": "pointerover",
                    "clear": "pointerout",
                },
            }
        ],
    }


def _value(stats: EventTypeStats, field: str) -> float | None:
    if field in {"p50", "p95", "p99"}:
        return getattr(stats.latency_ms, field) if stats.latency_ms else None
    value: float | None = getattr(stats, field)
    return value


def _mark(report: StoredReport | None, event_type: EventType, field: str, *, alone: bool) -> str:
    """How the point is drawn besides the line; a point without neighbours has no line."""
    if report is None:
        return "none"
    metric = _METRIC_OF.get(field, "latency_p95_ms")
    if any(one.event_type == event_type and one.metric == metric for one in report.anomalies):
        return "anomaly"
    if not report.complete:
        return "incomplete"
    return "alone" if alone else "none"
