"""What the page says of a situation, without Streamlit."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from clickpulse.windows import MinuteWindow
from dashboard_ui import render
from dashboard_ui.charts import chart, chart_rows
from dashboard_ui.data import Hour
from dashboard_ui.formats import LABELS, NOTHING
from dashboard_ui.minutes import State
from dashboard_ui.services import Level, ServiceState
from dashboard_ui.view import Situation, age_line, page

NOON = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
WELL = tuple(ServiceState(name, Level.OK, "running", "") for name in ("Sink", "Airflow", "Report API"))


def situation(reports, *, now=None, picked=None, problem=None, shown=None, services=WELL, first=NOON) -> Situation:
    live = Hour(tuple(sorted(reports, key=lambda one: one.window, reverse=True)), problem)
    newest = live.newest.window_end if live.newest else NOON
    return Situation(
        now=now or newest + timedelta(seconds=4),
        live=live,
        shown=shown or live,
        picked=picked,
        services=services,
        stale_seconds=90,
        first_window=MinuteWindow(first),
    )


def keys(content) -> list[str]:
    return [notice.key for notice in content.notices]


def test_a_usual_minute_has_no_notices_and_says_so(stored):
    content = page(situation([stored(minute) for minute in range(60)]))

    assert keys(content) == []
    assert (content.heading.level, content.heading.verdict) == (Level.OK, "All five interactions are as usual")
    assert content.heading.window == "10:59 to 11:00 UTC"
    assert content.heading.complete
    assert {minute.state for minute in content.minutes} == {State.OK}
    assert len(content.minutes) == 60


def test_the_table_has_the_reports_figures(stored):
    report = stored(0, events={"PAYMENT": 1450, "SEARCH": 9000}, errors={"PAYMENT": 29})

    content = page(situation([report]))

    rows = {row.key: row for row in content.rows}
    assert set(rows) == {"SEARCH", "VIEW_PRODUCT", "ADD_TO_CART", "CHECKOUT", "PAYMENT"}
    assert (rows["PAYMENT"].events_text, rows["PAYMENT"].error_rate) == ("1,450", "2.00%")
    assert (rows["PAYMENT"].success_rate, rows["PAYMENT"].codes) == ("98.00%", "503: 29")
    assert rows["SEARCH"].p95 == "200 ms"
    assert content.total.events == 1450 + 9000 + 300
    assert [(row.code, row.count, row.share) for row in content.codes] == [("503", 29, 1.0)]


def test_an_anomaly_comes_first_with_its_beginning(stored, make_anomaly):
    trouble = [make_anomaly("PAYMENT"), make_anomaly("SEARCH", "warning", "latency_p95_ms")]
    reports = [stored(minute, anomalies=trouble[:1] if minute >= 7 else []) for minute in range(9)]
    reports.append(stored(9, anomalies=list(reversed(trouble))))

    content = page(situation(reports))

    assert content.heading.level == Level.CRITICAL
    assert content.heading.verdict == "Search and Payment are out of the ordinary"
    assert [(one.what, one.since) for one in content.findings] == [
        ("Payment: error rate too high", "since 10:07"),
        ("Search: p95 latency too high", "new in this minute"),
    ]
    assert content.findings[0].value == "12.50%"
    rows = {row.key: row for row in content.rows}
    assert (rows["PAYMENT"].level, rows["PAYMENT"].troubled) == (Level.CRITICAL, {"error_rate"})
    assert rows["CHECKOUT"].level == Level.OK


def test_a_gap_breaks_the_run_of_an_anomaly(stored, make_anomaly):
    reports = [stored(minute, anomalies=[make_anomaly("PAYMENT")]) for minute in (3, 4, 6, 7)]

    content = page(situation(reports))

    assert content.findings[0].since == "since 10:06"


def test_a_run_that_fills_the_hour_may_be_older(stored, make_anomaly):
    reports = [stored(minute, anomalies=[make_anomaly("PAYMENT")]) for minute in range(3)]

    assert page(situation(reports)).findings[0].since == "since 10:00 or earlier"


def test_recovery_is_told(stored, make_anomaly):
    reports = [stored(minute, anomalies=[make_anomaly("PAYMENT")] if minute == 3 else []) for minute in range(6)]

    rows = {row.key: row for row in page(situation(reports)).rows}

    assert rows["PAYMENT"].state == "as usual since 10:04"
    assert rows["SEARCH"].state == "as usual"


def test_missing_and_incomplete_minutes_are_told(stored):
    reports = [stored(minute, complete=minute not in {5, 9}) for minute in range(10) if minute not in {2, 3}]

    content = page(situation(reports))

    assert keys(content) == ["incomplete", "missing"]
    assert content.notices[0].text.startswith("Partition 3 lags.")
    assert content.notices[1].title == "2 minutes of the hour have no report"
    assert "10:02 and 10:03" in content.notices[1].text
    assert content.heading.level == Level.WARNING
    states = {minute.window.minute: minute.state for minute in content.minutes[-10:]}
    assert [minute for minute, state in states.items() if state is State.MISSING] == [2, 3]
    assert [minute for minute, state in states.items() if state is State.INCOMPLETE] == [5, 9]
    assert content.minutes[0].state is State.BEFORE


@pytest.mark.parametrize(("age", "stale"), [(89, False), (91, True)])
def test_old_figures_are_told_and_get_no_all_clear(stored, age, stale):
    report = stored(0)

    content = page(situation([report], now=report.window_end + timedelta(seconds=age)))

    assert ("stale" in keys(content)) == stale
    assert (content.heading.level == Level.OK) != stale
    assert content.heading.verdict.startswith("Last known, at 10:00: All") == stale


def test_with_the_api_down_the_last_known_figures_stay(stored):
    content = page(situation([stored(0)], problem="http://127.0.0.1:8000: Connection refused"))

    assert keys(content) == ["api-down"]
    assert content.notices[0].level == Level.CRITICAL
    assert "Connection refused" in content.notices[0].text
    assert "last known" in content.notices[0].text
    assert content.total.events == 500
    assert content.heading.level != Level.OK


def test_without_reports_it_says_when_the_first_is_due():
    early = page(situation([], now=NOON + timedelta(seconds=20)))
    late = page(situation([], now=NOON + timedelta(minutes=5)))
    down = page(situation([], problem="refused"))

    assert keys(early) == keys(late) == ["no-reports"]
    assert "of 10:00 UTC, is expected a few seconds after 10:01 UTC" in early.notices[0].text
    assert late.notices[0].level == Level.WARNING
    assert "clickpulse status" in late.notices[0].text
    assert keys(down) == ["api-down"]
    assert early.heading is None


def test_an_ill_service_is_told():
    ill = (ServiceState("Sink", Level.WARNING, "paused", "", "ClickHouse: refused"), *WELL[1:])

    content = page(situation([], services=ill))

    assert ("Sink: paused", "ClickHouse: refused.") in [(one.title, one.text) for one in content.notices]


def test_an_earlier_minute_is_shown_as_of_then(stored):
    reports = [stored(minute) for minute in range(10)]
    picked = MinuteWindow(NOON + timedelta(minutes=4))
    shown = Hour(tuple(reversed(reports[:5])))

    content = page(situation(reports, picked=picked, shown=shown))
    absent = page(situation(reports, picked=MinuteWindow(NOON - timedelta(days=1)), shown=Hour()))

    assert keys(content) == ["earlier"]
    assert content.heading.key == "2026-11-22T10:04Z"
    assert keys(absent) == ["no-such-minute"]
    assert absent.heading is None


def test_changes_are_from_the_minute_before_only(stored):
    before, now = stored(0, p95=200), stored(1, events={"SEARCH": 200}, errors={"SEARCH": 60}, p95=260)
    after_gap = stored(3, p95=260)

    cards = {card.key: card for card in page(situation([before, now])).cards}
    gapped = {card.key: card for card in page(situation([before, after_gap])).cards}

    assert cards["events"].change == "▲ 20.0 %"
    assert (cards["error_rate"].change, cards["error_rate"].tone) == ("▲ 10.00 points", "worse")
    assert (cards["latency_p95_ms"].change, cards["latency_p95_ms"].tone) == ("▲ 60 ms", "worse")
    assert (cards["freshness"].value, cards["freshness"].change) == ("2.5 s", "± 0.0 s")
    assert {card.change for card in gapped.values()} == {""}
    assert gapped["events"].course == (500.0, None, None, 500.0)


def test_stages_are_counted_from_the_minutes_end(stored):
    end = NOON + timedelta(minutes=1)
    timings = {"awaited_at": end + timedelta(seconds=0.4), "detected_at": end + timedelta(seconds=2)}

    stages = {stage.key: stage for stage in page(situation([stored(0, timings=timings)])).stages}

    assert (stages["awaited"].ended, stages["awaited"].took) == (0.4, 0.4)
    assert (stages["exported"].ended, stages["exported"].took) == (None, None)
    assert (stages["detected"].ended, stages["detected"].took) == (2.0, 1.6)
    assert (stages["received"].ended, stages["received"].took) == (2.5, 0.5)


def test_a_minute_without_events(stored):
    content = page(situation([stored(0, events=dict.fromkeys(map(str, LABELS), 0))]))

    assert content.heading.verdict == "No events in this minute"
    assert {row.error_rate for row in content.rows} == {NOTHING}
    assert "No errors" in render.codes(content.codes)


def test_little_past_is_no_all_clear(stored):
    assert "little past" in page(situation([stored(0, baseline=2)])).heading.verdict


def test_a_revision_is_told_with_its_reason(stored):
    content = page(situation([stored(0, revision=2, revision_reason="12 events came late")]))

    assert keys(content) == ["revised"]
    assert content.notices[0].text == "12 events came late."


def test_the_age_is_that_of_the_newest_minute(stored):
    text = age_line(situation([stored(0)], now=NOON + timedelta(minutes=1, seconds=42)))

    assert text == "10:01:42 UTC · the newest minute ended 42 s ago"


def test_what_comes_from_outside_is_escaped(stored, make_anomaly):
    evil = replace(page(situation([], problem="<script>alert(1)</script> `a`")).notices[0])
    content = page(situation([stored(0, anomalies=[make_anomaly("PAYMENT")])]))

    assert "<script>" not in render.notice(evil)
    assert "<code>a</code>" in render.notice(evil)
    assert "<b>" not in render.heading(content.heading, content.findings)


def test_charts_have_every_minute_and_gaps_for_missing_ones(stored, make_anomaly):
    reports = [stored(minute, errors={"PAYMENT": 10}) for minute in (0, 1, 3)]
    reports.append(stored(4, complete=False, anomalies=[make_anomaly("PAYMENT")]))

    rows = chart_rows(reports, "Error rate")

    payment = [(row["minute"][11:16], row["value"], row["mark"]) for row in rows if row["type"] == "Payment"]
    assert payment == [
        ("10:00", 0.1, "none"),
        ("10:01", 0.1, "none"),
        ("10:02", None, "none"),
        ("10:03", 0.1, "none"),
        ("10:04", 0.0, "anomaly"),
    ]
    search = [row["mark"] for row in rows if row["type"] == "Search"]
    assert search == ["none", "none", "none", "none", "incomplete"]
    assert [row["mark"] for row in chart_rows(reports[:1], "p95")] == ["alone"] * 5


@pytest.mark.parametrize("measure", ["Error rate", "Success rate", "p50", "p95", "p99", "Events", "Errors"])
@pytest.mark.parametrize("dark", [False, True])
def test_a_chart_tells_types_apart_by_more_than_colour(stored, measure, dark):
    spec = chart([stored(0), stored(1)], measure, dark=dark)

    line = spec["layer"][0]["layer"][0]["encoding"]
    assert len({str(dash) for dash in line["strokeDash"]["scale"]["range"]}) == 5
    assert len(set(line["color"]["scale"]["range"])) == 5
    assert "data" not in spec, "Streamlit would turn it into a pandas frame"
