"""The page: Streamlit calls only. Run `streamlit run dashboard_ui/app.py`, or `python -m dashboard_ui`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import httpx
import streamlit as st

from clickpulse.errors import ConfigurationError
from clickpulse.settings import ReportReaderSettings, ReportSettings
from clickpulse.windows import MinuteWindow
from dashboard_ui import gate, render
from dashboard_ui.charts import chart, legend
from dashboard_ui.data import AccountSource, HealthSource, ReportSource, reports_client
from dashboard_ui.login import Standing
from dashboard_ui.picker import minute_options, picked_minute
from dashboard_ui.services import Answer, ServiceState, airflow_state, api_state, sink_state, unknown
from dashboard_ui.settings import PageSettings
from dashboard_ui.view import Page, Situation, age_line, page, shown_report

# Accounts come every few minutes: they are asked for less often than reports.
ACCOUNTS_SECONDS = 10

ICON = str(Path(__file__).parent / "icon.svg")


class Resources:
    """What all open pages share."""

    def __init__(self) -> None:
        self.settings = PageSettings.load()
        self.settings.check()
        self.first_window = MinuteWindow.containing(ReportSettings.load().start)
        api = reports_client(ReportReaderSettings.load())
        self.reports = ReportSource(api, self.settings.refresh_seconds / 2)
        self.accounts = AccountSource(api, ACCOUNTS_SECONDS)
        addresses = {"airflow": f"{self.settings.airflow_url.rstrip('/')}/api/v2/monitor/health"}
        if self.settings.sink_health_url:
            addresses["sink"] = f"{self.settings.sink_health_url.rstrip('/')}/healthz"
        self.health = HealthSource(httpx.Client(timeout=httpx.Timeout(3, connect=1)), addresses)


@st.cache_resource(show_spinner=False)  # type: ignore[untyped-decorator]  # Streamlit is not type-checked here
def resources() -> Resources:
    """Made once in the server; `ConfigurationError` where a setting is wrong."""
    return Resources()


def main() -> None:
    """Lay out the page for those who may see it; the fragment then refreshes itself."""
    st.set_page_config(page_title="Clickpulse", page_icon=ICON, layout="wide")
    st.html(f"<style>{render.STYLES}</style>")
    try:
        shared = resources()
    except ConfigurationError as error:
        st.error(f"The page can't start: {error}", icon=":material/error:")
        st.stop()
    who = gate.visitor(shared.settings, datetime.now(UTC))
    if who.standing is not Standing.ADMITTED:
        gate.show_closed(who)
        st.stop()
    gate.show_signed_in(who)
    st.fragment(run_every=shared.settings.refresh_seconds)(refreshed)(shared)


def refreshed(shared: Resources) -> None:
    """What is drawn anew every few seconds; what did not change is not sent to the browser again."""
    dark = st.context.theme.type == "dark"
    now = datetime.now(UTC)
    if gate.visitor(shared.settings, now).standing is not Standing.ADMITTED:
        st.rerun()  # a page may stay open longer than its login lasts
    live = shared.reports.hour()
    title, control = st.columns([3, 1], vertical_alignment="center")
    picked = _pick(control, minute_options(live, st.session_state.get("minute")), now)
    situation = Situation(
        now=now,
        live=live,
        shown=shared.reports.hour(picked) if picked else live,
        picked=picked,
        services=_services(shared, now),
        stale_seconds=shared.settings.stale_seconds,
        first_window=shared.first_window,
        accounts=shared.accounts.hour(),
    )
    with title:
        heading = f'<div class="title"><h1>Clickpulse</h1><span>{age_line(situation)}</span></div>'
        st.html(render.block(heading, dark=dark))
    _draw(page(situation), situation, dark=dark)


def _pick(place: st.delta_generator.DeltaGenerator, options: list[str], now: datetime) -> MinuteWindow | None:
    """The minute that the reader picked; None follows the latest."""
    text = place.selectbox(
        "Minute",
        options,
        key="minute",
        bind="query-params",
        accept_new_options=True,
        label_visibility="collapsed",
        help="Pick a minute of the last hour, or type any other, such as 2026-11-22T10:05Z or 10:05 (UTC).",
    )
    try:
        return picked_minute(text, now)
    except ConfigurationError as error:
        place.caption(f":material/warning: {error}")
        return None


def _services(shared: Resources, now: datetime) -> tuple[ServiceState, ...]:
    live = shared.reports.hour()
    answers = shared.health.answers()

    def state(key: str, name: str) -> ServiceState:
        answer: Answer | None = answers.get(key)
        if answer is None:
            return unknown(name)
        return sink_state(answer, now) if key == "sink" else airflow_state(answer, now)

    sink = (state("sink", "Sink"),) if shared.settings.sink_health_url else ()
    return (*sink, state("airflow", "Airflow"), api_state(live.problem, live.seconds))


def _draw(content: Page, situation: Situation, *, dark: bool) -> None:
    def html(text: str) -> None:
        if text:
            st.html(render.block(text, dark=dark))

    html(render.notices(one for one in content.notices if one.first))
    if content.heading and content.findings is not None:
        html(render.heading(content.heading, content.findings))
    html(render.notices(one for one in content.notices if not one.first))
    if content.minutes:
        report = shown_report(situation)
        shown = next((one for one in content.minutes if report and one.window == report.window), None)
        html(render.strip(content.minutes, shown))
    if content.cards:
        html(render.cards(content.cards))
    if content.rows and content.total:
        html(render.table(content.rows, content.total))
        html(render.lines(legend(dark=dark)))
        _charts(situation, dark=dark)
    if content.stages and content.codes is not None:
        left, right = st.columns(2)
        with left:
            html(render.stages(content.stages))
        with right:
            html(render.codes(content.codes))
    if content.accounting is not None:
        html(render.accounting(content.accounting))
    html(render.services(content.services))


def _charts(situation: Situation, *, dark: bool) -> None:
    panels = (
        ("rates", ["Error rate", "Success rate"], "Error rate", ""),
        ("latency", ["p50", "p95", "p99"], "p95", "latency in ms"),
        ("volume", ["Events", "Errors"], "Events", "a minute"),
    )
    for column, (name, measures, default, unit) in zip(st.columns(3), panels, strict=True):
        with column, st.container(border=True, key=f"panel-{name}"):
            with st.container(horizontal=True, vertical_alignment="center"):
                chosen = st.segmented_control(
                    name, measures, default=default, required=True, key=f"measure-{name}", label_visibility="collapsed"
                )
                st.caption(unit)
            measure = chosen or default
            st.vega_lite_chart(
                chart(situation.shown.reports, measure, dark=dark),
                key=f"chart-{name}",
                width="stretch",
                alt=f"{measure} by event type over the hour; the table has the figures of the minute",
            )


main()
