"""A report laid out for a terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clickpulse.reports import Anomaly, Changes, EventTypeStats
from clickpulse.stored_reports import StoredReport
from clickpulse.windows import MinuteWindow

NOTHING = "-"
_SIGNS = {"critical": "▲ critical", "warning": "△ warning"}
_STYLES = {"critical": "bold red", "warning": "yellow"}


def report_text(report: StoredReport) -> Group:
    """The report for people: what is wrong first, then the figures."""
    parts: list[RenderableType] = [_heading(report), *_findings(report.anomalies), _figures(report)]
    return Group(*parts)


def changes_text(changes: Changes) -> str:
    """What a revision changed, in one line: `+3 events (+2 PAYMENT, +1 SEARCH), new: PAYMENT error_rate high`."""
    by_type = ", ".join(f"{count:+,} {name}" for name, count in sorted(changes.by_event_type.items()))
    parts = [f"{changes.events:+,} events" + (f" ({by_type})" if by_type else "")]
    for word, names in (("new", changes.anomalies_added), ("gone", changes.anomalies_gone)):
        if names:
            parts.append(f"{word}: {', '.join(names)}")
    return "; ".join(parts)


def _heading(report: StoredReport) -> Text:
    text = Text()
    text.append(f"{MinuteWindow(report.window)}", style="bold")
    text.append(f" to {report.window_end:%H:%M} UTC, revision {report.revision}")
    if report.revision_reason:
        text.append(f": {report.revision_reason}")
    if report.changes:
        text.append(f"\nsince revision {report.changes.since_revision}: {changes_text(report.changes)}")
    text.append("\n")
    if report.complete:
        text.append("✓ complete", style="green")
    else:
        text.append(f"! incomplete: {report.completeness.reason}", style="bold yellow")
    text.append(f"\nreadable {report.freshness_seconds:,.1f} s after the minute's end")
    text.append(f"\n{report.totals.users:,} users in {report.totals.sessions:,} sessions")
    return text


def _findings(anomalies: list[Anomaly]) -> list[Text]:
    if not anomalies:
        return [Text("✓ no anomalies", style="green")]
    ordered = sorted(anomalies, key=lambda anomaly: (anomaly.severity != "critical", -abs(anomaly.score)))
    return [Text(f"{_SIGNS[one.severity]}: {one.message}", style=_STYLES[one.severity]) for one in ordered]


def _figures(report: StoredReport) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_footer=True, pad_edge=False, padding=(0, 1, 0, 0))
    totals = _row(report.totals)
    names = ("events", "success", "errors", "p50 ms", "p95 ms", "p99 ms", "codes")
    table.add_column("interaction", footer="all", no_wrap=True)
    for name, total in zip(names, totals, strict=True):
        codes = name == "codes"
        table.add_column(name, footer=total, justify="left" if codes else "right", no_wrap=not codes)
    troubled = {anomaly.event_type for anomaly in report.anomalies}
    for event_type, stats in sorted(report.by_event_type.items()):
        label = Text(f"▲ {event_type}", style="bold red") if event_type in troubled else Text(f"  {event_type}")
        table.add_row(label, *_row(stats))
    return table


def _row(stats: EventTypeStats) -> list[str]:
    latency = stats.latency_ms
    quantiles = [f"{value:,.0f}" for value in (latency.p50, latency.p95, latency.p99)] if latency else [NOTHING] * 3
    return [
        f"{stats.events:,}",
        _percent(stats.success_rate),
        _percent(stats.error_rate),
        *quantiles,
        _codes(stats.error_codes),
    ]


def _percent(rate: float | None) -> str:
    return NOTHING if rate is None else f"{rate:.2%}"


def _codes(codes: Mapping[str, int]) -> str:
    ordered = sorted(codes.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{code}: {count:,}" for code, count in ordered) or NOTHING
