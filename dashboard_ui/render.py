"""The page's parts as HTML. Every text from outside is escaped; every state has a sign and a word."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from dashboard_ui.accounting import Accounting, Term
from dashboard_ui.cards import Card
from dashboard_ui.findings import Finding
from dashboard_ui.formats import clock, number, seconds
from dashboard_ui.minutes import SIGNS, Minute, State
from dashboard_ui.notices import Notice
from dashboard_ui.rows import CodeRow, TypeRow
from dashboard_ui.services import Level, ServiceState
from dashboard_ui.sparkline import sample, sparkline
from dashboard_ui.stages import Stage
from dashboard_ui.view import Heading

STYLES = (Path(__file__).parent / "styles.css").read_text(encoding="utf-8")

ICONS = {Level.OK: "✓", Level.WARNING: "△", Level.CRITICAL: "▲", Level.UNKNOWN: "○"}
WORDS = {Level.OK: "OK", Level.WARNING: "Warning", Level.CRITICAL: "Critical", Level.UNKNOWN: "Note"}


_COLUMNS = (
    ("Interaction", False),
    ("State", False),
    ("Events", True),
    ("Success", True),
    ("Errors", True),
    ("p50", True),
    ("p95", True),
    ("p99", True),
    ("Error codes", False),
    ("Errors, last hour", False),
)
_STAGE_HEAD = (
    '<thead><tr><th scope="col">Stage</th><th></th><th scope="col" class="number">took</th>'
    '<th scope="col" class="number">after the end</th></tr></thead>'
)


def block(content: str, *, dark: bool) -> str:
    """The part, inside what gives it the theme's colours."""
    return f'<div class="cp {"cp-dark" if dark else "cp-light"}">{content}</div>'


def notice(one: Notice) -> str:
    role = "alert" if one.level is Level.CRITICAL else "status"
    return (
        f'<div class="notice {one.level}" role="{role}" data-notice="{one.key}">'
        f'<span class="icon" aria-hidden="true">{ICONS[one.level]}</span>'
        f'<div><strong><span class="sr">{WORDS[one.level]}: </span>{_text(one.title)}</strong>'
        f"<p>{_text(one.text)}</p></div></div>"
    )


def notices(all_of_them: Iterable[Notice]) -> str:
    return "".join(notice(one) for one in all_of_them)


def heading(one: Heading, found: Sequence[Finding]) -> str:
    """The minute, the verdict, and how far to trust it."""
    complete = _badge("✓" if one.complete else "◐", one.completeness, Level.OK if one.complete else Level.WARNING)
    badges = [complete, *(_badge("", text) for text in (one.revision, one.freshness, one.compared))]
    return (
        f'<section class="hero {one.level}" aria-label="Verdict" data-window="{one.key}">'
        f'<div class="minute"><span class="time" data-field="window">{_text(one.window)}</span>'
        f'<span class="date">{_text(one.date)}</span></div>'
        f'<h2><span class="icon" aria-hidden="true">{ICONS[one.level]}</span>{_text(one.verdict)}</h2>'
        f'<div class="badges">{"".join(badges)}</div>'
        f"{_findings(found)}</section>"
    )


def _findings(found: Sequence[Finding]) -> str:
    if not found:
        return ""
    items = "".join(
        f'<li class="finding {one.level}" title="{escape(one.message)}">'
        f'<span class="icon" aria-hidden="true">{ICONS[one.level]}</span>'
        f'<span class="what"><span class="sr">{WORDS[one.level]}: </span>{_text(one.what)}</span>'
        f'<span class="value">{_text(one.value)}</span>'
        f'<span class="expected">{_text(one.expected)}; {_text(one.sureness)}</span>'
        f'<span class="since">{_text(one.since)}</span></li>'
        for one in found
    )
    return f'<ul class="findings" aria-label="Anomalies">{items}</ul>'


def cards(all_of_them: Iterable[Card]) -> str:
    return f'<div class="cards">{"".join(_card(one) for one in all_of_them)}</div>'


def _card(one: Card) -> str:
    change = (
        f'<span class="change {one.tone}">{_text(one.change)}<span class="sr"> from the minute before</span></span>'
        if one.change
        else ""
    )
    return (
        f'<div class="card" data-card="{one.key}"><div class="label">{_text(one.label)}</div>'
        f'<div class="value">{_text(one.value)}{change}</div>'
        f'<div class="note">{_text(one.note)}</div>{sparkline(one.course)}</div>'
    )


def table(rows: Sequence[TypeRow], total: TypeRow) -> str:
    """The event types; `data-event-type` and `data-field` name the cells."""
    head = "".join(f'<th scope="col"{_number_class(numeric)}>{name}</th>' for name, numeric in _COLUMNS)
    body = "".join(_row(row) for row in rows)
    return (
        '<div class="panel scroll" tabindex="0" role="region" aria-label="Event types"><table class="types">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody><tfoot>{_row(total)}</tfoot></table></div>"
    )


def _row(row: TypeRow) -> str:
    cells = (
        ("events", row.events_text, "events"),
        ("success_rate", row.success_rate, ""),
        ("error_rate", row.error_rate, "error_rate"),
        ("p50", row.p50, ""),
        ("p95", row.p95, "latency_p95_ms"),
        ("p99", row.p99, ""),
    )
    figures = "".join(
        f'<td class="number{" troubled" if metric in row.troubled else ""}" data-field="{field}">'
        f"{_text(text)}{_flag(metric in row.troubled)}</td>"
        for field, text, metric in cells
    )
    return (
        f'<tr data-event-type="{row.key}"><th scope="row">{_text(row.label)}</th>'
        f'<td data-field="state">{_state(row.level, row.state) if row.state else ""}</td>{figures}'
        f'<td data-field="codes">{_text(row.codes)}</td><td class="course">{sparkline(row.course)}</td></tr>'
    )


def _flag(troubled: bool) -> str:
    return '<span class="sr"> (anomaly)</span>' if troubled else ""


def codes(rows: Sequence[CodeRow]) -> str:
    """The error codes as bars with their counts."""
    if not rows:
        return '<div class="panel"><h3>Error codes</h3><p class="quiet">No errors in this minute.</p></div>'
    items = "".join(
        f'<tr data-code="{escape(row.code)}"><th scope="row">{_text(row.code)}</th>'
        f'<td class="number">{number(row.count)}</td>'
        f'<td class="bar"><span style="width:{row.share:.1%}"></span></td>'
        f"<td>{_text(row.where)}</td></tr>"
        for row in rows
    )
    head = '<thead class="sr"><tr><th>Code</th><th>Events</th><th>Share</th><th>Interactions</th></tr></thead>'
    return f'<div class="panel"><h3>Error codes</h3><table class="codes">{head}<tbody>{items}</tbody></table></div>'


def strip(minutes: Sequence[Minute], shown: Minute | None) -> str:
    """The hour at a glance; a minute is a link to its report."""
    cells = "".join(_cell(minute, current=minute == shown) for minute in minutes)
    legend = "".join(
        f'<span><i class="cell {state}" aria-hidden="true">{SIGNS[state]}</i>{word}</span>'
        for state, word in (
            (State.OK, "as usual"),
            (State.WARNING, "warning"),
            (State.CRITICAL, "critical"),
            (State.INCOMPLETE, "incomplete"),
            (State.MISSING, "no report"),
        )
    )
    first, last = clock(minutes[0].window), clock(minutes[-1].window)
    return (
        f'<nav class="panel strip" aria-label="The hour, minute by minute"><div class="cells">{cells}</div>'
        f'<div class="ends"><span>{first}</span><span class="legend">{legend}</span><span>{last} UTC</span></div></nav>'
    )


def _cell(minute: Minute, *, current: bool) -> str:
    attributes = f'class="cell {minute.state}" title="{escape(minute.text)}" aria-label="{escape(minute.text)}"'
    sign = SIGNS[minute.state]
    if minute.state in {State.MISSING, State.BEFORE}:
        return f'<span {attributes} role="img">{sign}</span>'
    here = ' aria-current="true"' if current else ""
    return f'<a {attributes}{here} href="?minute={minute.address}" target="_self">{sign}</a>'


def lines(samples: Sequence[tuple[str, str, list[int]]]) -> str:
    """The legend of the charts."""
    shown = "".join(f"<span>{sample(colour, dashes)}{_text(label)}</span>" for label, colour, dashes in samples)
    marks = (
        '<span class="key">▲ anomaly</span><span class="key">○ incomplete</span><span class="key">gap: no report</span>'
    )
    return f'<div class="lines"><h3>The hour by interaction</h3>{shown}{marks}</div>'


def stages(all_of_them: Sequence[Stage]) -> str:
    """From the minute's end to the report: a bar for each stage, where the one before it ended."""
    longest = max((stage.ended for stage in all_of_them if stage.ended is not None), default=0.0) or 1.0
    rows = "".join(_stage(stage, longest) for stage in all_of_them)
    return (
        '<div class="panel"><h3>From the minute\'s end to the report</h3>'
        f'<table class="stages">{_STAGE_HEAD}<tbody>{rows}</tbody></table></div>'
    )


def _stage(stage: Stage, longest: float) -> str:
    bar = ""
    if stage.ended is not None and stage.took is not None:
        start = max(0.0, stage.ended - stage.took) / longest
        width = max(0.004, min(1 - start, max(0.0, stage.took) / longest))
        bar = f'<span style="margin-left:{start:.1%};width:{width:.1%}"></span>'
    return (
        f'<tr data-stage="{stage.key}"><th scope="row">{_text(stage.label)}</th><td class="bar">{bar}</td>'
        f'<td class="number">{seconds(stage.took)}</td><td class="number">{seconds(stage.ended)}</td></tr>'
    )


def accounting(one: Accounting) -> str:
    """The last hour's equation."""
    equation = ""
    if one.acknowledged is not None:
        figures = _sign("+").join(map(_term, one.terms))
        equation = f'<div class="equation">{_term(one.acknowledged)}{_sign("=")}{figures}</div>'
    return (
        '<section class="panel accounting" aria-label="Accounting" data-panel="accounting">'
        f"<h3>Accounting of the last hour</h3>{_state(one.level, one.verdict)}"
        f'{equation}<p class="quiet">{_text(one.note)}</p></section>'
    )


def _term(term: Term) -> str:
    return (
        f'<span class="term"><b data-account="{term.key}">{_text(term.value)}</b>'
        f'<span class="label">{_text(term.label)}</span></span>'
    )


def _sign(sign: str) -> str:
    return f'<span class="sign">{sign}</span>'


def services(all_of_them: Sequence[ServiceState]) -> str:
    items = "".join(
        f'<li>{_state(one.level, one.word)}<span class="name">{_text(one.name)}</span>'
        f'<span class="detail">{_text(one.reason or one.detail)}</span></li>'
        for one in all_of_them
    )
    return f'<div class="panel"><h3>Services now</h3><ul class="services">{items}</ul></div>'


def _state(level: Level, text: str) -> str:
    icon = f'<span class="icon" aria-hidden="true">{ICONS[level]}</span>'
    return f'<span class="state {level}">{icon}{_text(text)}</span>'


def _badge(icon: str, text: str, level: Level | None = None) -> str:
    sign = f'<span class="icon" aria-hidden="true">{icon}</span>' if icon else ""
    return f'<span class="badge {level or ""}">{sign}{_text(text)}</span>'


def _number_class(numeric: bool) -> str:
    return ' class="number"' if numeric else ""


def _text(text: str) -> str:
    """Escaped; what stands between backticks becomes code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
