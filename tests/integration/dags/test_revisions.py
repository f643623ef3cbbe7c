"""Late events, missing minutes and backfills in the stack's Airflow, from Kafka to the report API."""

from __future__ import annotations

import io
import json
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from clickhouse_connect.driver.client import Client
from dotenv import dotenv_values
from fastavro import parse_schema, schemaless_reader

from bench.bulk import Serialized, encoder_for, pregenerate, send
from clickpulse.clients import clickhouse_client, report_reader
from clickpulse.settings import ClickHouseSettings, KafkaSettings, ReportReaderSettings, creds_dir
from clickpulse.windows import MinuteWindow
from producer.wire import read_schema
from tests.support import run_clickpulse, wait_for

NOTICED_SECONDS = 150
"""For a run every half minute, on a busy machine."""


@pytest.fixture
def reports(stack: Path) -> Iterator[httpx.Client]:
    del stack
    with report_reader(ReportReaderSettings.load()) as client:
        yield client


@pytest.fixture
def clickhouse(stack: Path) -> Iterator[Client]:
    del stack
    with clickhouse_client(ClickHouseSettings.load(), reader=True) as client:
        yield client


@pytest.fixture
def reported(reports: httpx.Client) -> MinuteWindow:
    """A minute of which there is a complete report."""

    def newest() -> dict[str, Any] | None:
        answer = reports.get("/api/v1/reports/latest")
        return answer.json() if answer.is_success and answer.json()["complete"] else None

    return MinuteWindow.parse(wait_for(newest, seconds=NOTICED_SECONDS, what="a complete report")["window"])


@pytest.fixture
def long_ago() -> MinuteWindow:
    """A minute that no other test uses."""
    minutes = random.SystemRandom().randrange(5_000_000)
    return MinuteWindow(datetime(1980, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes))


def sent(window: MinuteWindow, count: int) -> list[Serialized]:
    """About `count` new events of the window, in Kafka."""
    kafka = KafkaSettings.load_for("producer")
    encoder = encoder_for(kafka)
    # The last ones may be a millisecond into the next minute.
    events = [event for event in pregenerate(window, count, encoder) if event.timestamp_ms < window.end_ms]
    send(kafka, encoder, events)
    return events


def types(events: list[Serialized]) -> dict[str, int]:
    schema = parse_schema(json.loads(read_schema()))
    found = [schemaless_reader(io.BytesIO(event.value[5:]), schema, None) for event in events]
    return dict(Counter(event["event_type"] for event in found))


def revision(reports: httpx.Client, window: MinuteWindow, number: int | None = None) -> dict[str, Any]:
    answer = reports.get(f"/api/v1/reports/{window}", params={} if number is None else {"revision": number})
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


def rows(clickhouse: Client, table: str, window: MinuteWindow) -> tuple[int, int]:
    """Rows and different events of the minute in a table."""
    minute = "toStartOfMinute(event_timestamp)" if table == "events" else "minute"
    query = f"SELECT count(), uniqExact(event_id) FROM {table} WHERE {minute} = {{window:DateTime('UTC')}}"  # noqa: S608
    start = window.start.strftime("%Y-%m-%d %H:%M:%S")
    found: tuple[int, int] = tuple(clickhouse.query(query, parameters={"window": start}).result_rows[0])  # type: ignore[assignment]
    return found


def late_scan_after(clickhouse: Client, moment: datetime) -> None:
    """Wait until late events that were stored before `moment` have been dealt with."""
    query = "SELECT max(scanned_to) > {moment:DateTime64(3, 'UTC')} FROM late_scans"
    text = moment.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    wait_for(
        lambda: clickhouse.command(query, parameters={"moment": text}),
        seconds=NOTICED_SECONDS,
        what="a look for late events",
    )


def test_late_events_make_a_revision_that_says_what_changed(
    reports: httpx.Client, clickhouse: Client, reported: MinuteWindow
) -> None:
    before = revision(reports, reported)
    events = sent(reported, 61)
    wait_for(
        lambda: revision(reports, reported)["revision"] > before["revision"], seconds=NOTICED_SECONDS, what="a revision"
    )
    after = revision(reports, reported)
    counted = types(events)
    assert after["totals"]["events"] == before["totals"]["events"] + len(events)
    assert after["changes"]["by_event_type"] == counted
    assert after["changes"]["since_revision"] == before["revision"] == after["revision"] - 1
    assert after["revision_reason"].startswith(f"{len(events)} late events (")
    for name, stats in after["by_event_type"].items():
        assert stats["events"] == before["by_event_type"][name]["events"] + counted.get(name, 0)
    assert revision(reports, reported, before["revision"])["totals"] == before["totals"]
    assert f"revision {after['revision']}: {len(events)} late events" in run_clickpulse(
        "report", "--window", str(reported)
    ).replace("\n", " ")

    kafka = KafkaSettings.load_for("producer")
    send(kafka, encoder_for(kafka), events)  # the same again
    stored = rows(clickhouse, "events", reported)
    wait_for(
        lambda: rows(clickhouse, "events", reported)[0] >= after["totals"]["events"] + len(events), seconds=60,
        what=f"the copies in ClickHouse, after {stored}",
    )  # fmt: skip
    late_scan_after(clickhouse, datetime.now(UTC))
    assert revision(reports, reported)["revision"] == after["revision"]
    assert rows(clickhouse, "events", reported)[1] == after["totals"]["events"]


def test_a_minute_without_a_report_gets_one(reports: httpx.Client, reported: MinuteWindow) -> None:
    """It is withdrawn here, as if its run had never been."""
    before = reports.get(f"/api/v1/reports/{reported}/revisions").json()["revisions"]
    token = dotenv_values(creds_dir() / "report_api.creds")["REPORT_API_ADMIN_TOKEN"]
    answer = reports.delete(f"/api/v1/reports/{reported}", headers={"Authorization": f"Bearer {token}"})
    assert answer.is_success, answer.text

    def again() -> dict[str, Any] | None:
        found = reports.get(f"/api/v1/reports/{reported}")
        return found.json() if found.is_success else None

    report = wait_for(again, seconds=NOTICED_SECONDS, what=f"the report of {reported}")
    digests = [one["digest"] for one in reports.get(f"/api/v1/reports/{reported}/revisions").json()["revisions"]]
    assert report["complete"]
    assert digests[-1] == before[-1]["digest"]


def test_too_late_for_any_report_until_a_backfill(
    reports: httpx.Client, clickhouse: Client, long_ago: MinuteWindow
) -> None:
    events = sent(long_ago, 47)
    wait_for(lambda: rows(clickhouse, "events", long_ago)[0] == len(events), seconds=60, what="the events")
    late_scan_after(clickhouse, datetime.now(UTC) + timedelta(seconds=1))
    assert rows(clickhouse, "late_ledger", long_ago) == (len(events), len(events))
    assert reports.get(f"/api/v1/reports/{long_ago}").status_code == 404

    reach = (str(long_ago), str(MinuteWindow(long_ago.end)))
    assert "1 minutes, 1 without a report" in run_clickpulse("backfill", *reach, "--dry-run")
    assert reports.get(f"/api/v1/reports/{long_ago}").status_code == 404
    assert "1 new reports or revisions" in run_clickpulse("backfill", *reach, timeout=300)
    first = revision(reports, long_ago)
    assert (first["revision"], first["totals"]["events"]) == (0, len(events))
    assert {name: stats["events"] for name, stats in first["by_event_type"].items() if stats["events"]} == types(events)

    assert "0 new reports or revisions, 1 minutes unchanged" in run_clickpulse("backfill", *reach, timeout=300)
    assert revision(reports, long_ago)["revision"] == 0

    more = sent(long_ago, 23)
    total = len(events) + len(more)
    wait_for(lambda: rows(clickhouse, "events", long_ago)[0] == total, seconds=60, what="more events")
    assert "1 new reports or revisions" in run_clickpulse("backfill", *reach, timeout=300)
    second = revision(reports, long_ago)
    assert (second["revision"], second["totals"]["events"]) == (1, total)
    assert second["changes"]["events"] == len(more)
