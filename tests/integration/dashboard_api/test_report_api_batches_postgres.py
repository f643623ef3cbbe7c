"""Many reports at once, what there is of a range, and expiry, on a real Postgres."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2

from clickpulse.publish import PublishResult, publish_reports
from clickpulse.reports import Report
from clickpulse.stored_reports import report_summaries
from dashboard_api.bodies import MAX_BATCH_REPORTS
from tests.support import wait_for

REPORTS = "/api/v1/reports"
BATCH = f"{REPORTS}/batch"
FIRST = datetime(2026, 11, 22, tzinfo=UTC)


def execute(url: str, statement: str, parameters: Any = None) -> list[tuple]:
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


def report_at(report_json: Any, start: datetime, revision: int = 0, **members: Any) -> dict[str, Any]:
    own = {"window": f"{start:%Y-%m-%dT%H:%M:00Z}", "window_end": f"{start + timedelta(minutes=1):%Y-%m-%dT%H:%M:00Z}"}
    return report_json(5, revision, **members) | own


def outcomes(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one["outcome"] for one in answer.json()]


def test_a_batch_is_stored_in_its_order_and_its_outcomes_are_true(api, database_url, report_json):
    api.client.post(REPORTS, json=report_json(6))
    other = report_json(6, revision_reason="other")
    batch = [report_json(9), report_json(6), other, report_json(9), report_json(8), {}, report_json(9, 1)]

    found = outcomes(api.client.post(BATCH, json=batch))

    assert found == ["created", "unchanged", "conflict", "unchanged", "created", "invalid", "created"]
    rows = execute(
        database_url,
        "SELECT extract(minute FROM window_start)::int, revision, complete, events, errors, anomalies, digest "
        "FROM reports ORDER BY position",
    )
    assert [row[:6] for row in rows] == [(m, r, True, 30_050, 240, 1) for m, r in ((6, 0), (9, 0), (8, 0), (9, 1))]
    assert rows[3][6] == Report.model_validate(report_json(9, 1)).digest()
    read = api.client.get(f"{REPORTS}/2026-11-22T10:09Z?revision=1").json()
    assert {name: read[name] for name in report_json()} == report_json(9, 1)


def test_concurrent_batches_create_each_report_once(api, database_url, report_json):
    batches = [[report_json(minute) for minute in range(first, first + 20)] for first in range(0, 24, 2)]

    with ThreadPoolExecutor(12) as threads:
        found = Counter(one for answer in threads.map(lambda b: api.client.post(BATCH, json=b), batches)
                        for one in outcomes(answer))  # fmt: skip

    minutes = len({one["window"] for batch in batches for one in batch})
    assert found == {"created": minutes, "unchanged": 12 * 20 - minutes}
    assert execute(database_url, "SELECT count(*) FROM reports") == [(minutes,)]


def test_a_value_that_postgres_can_not_hold_spoils_its_own_report_alone(api, report_json):
    found = api.client.post(BATCH, json=[report_json(5), report_json(6, 2**40), report_json(5), report_json(7)])

    assert outcomes(found) == ["created", "invalid", "unchanged", "created"]
    assert found.json()[1]["detail"]


def test_those_who_follow_another_replica_are_told_of_every_report_of_a_batch(start_api, database_url, report_json):
    first, second = start_api(database_url), start_api(database_url)
    with second.client.stream("GET", f"{REPORTS}/stream", timeout=20) as answer:
        lines = answer.iter_lines()
        assert next(lines).startswith("retry:")
        first.client.post(BATCH, json=[report_json(minute) for minute in (7, 5, 6)])
        windows = []
        while len(windows) < 3:
            name, _, value = next(lines).partition(": ")
            if name == "data":
                windows.append(json.loads(value)["window"][14:16])
    assert windows == ["07", "05", "06"]


def test_a_day_is_published_and_summarized(api, database_url, report_json):
    """1,600 reports: several batches, and more than one page of summaries."""
    reports = [Report.model_validate(report_at(report_json, FIRST + timedelta(minutes=n))) for n in range(1600)]

    assert publish_reports(api.client, reports) == [PublishResult.CREATED] * 1600
    late = [report.model_copy(update={"revision": 1, "revision_reason": "late"}) for report in reports[::100]]
    publish_reports(api.client, late)
    found = report_summaries(api.client, FIRST, FIRST + timedelta(days=2))

    assert [(one.window, one.revision) for one in found] == execute(
        database_url, "SELECT window_start, max(revision) FROM reports GROUP BY 1 ORDER BY 1"
    )
    assert len(found) == 1600
    assert found[100].digest == late[1].digest()
    assert found[100].revision_reason == "late"
    assert found[1].cutoff == {0: 90_288}
    stored = execute(database_url, "SELECT received_at FROM reports WHERE window_start = %s", (found[1].window,))
    assert abs(stored[0][0] - found[1].received_at) < timedelta(milliseconds=1)
    inside = report_summaries(api.client, FIRST + timedelta(minutes=3), FIRST + timedelta(minutes=5))
    assert [one.window.minute for one in inside] == [3, 4]


def test_a_full_batch_is_stored_in_seconds(api, report_json):
    batch = [report_at(report_json, FIRST + timedelta(minutes=n)) for n in range(MAX_BATCH_REPORTS)]

    answer = api.client.post(BATCH, json=batch)

    assert set(outcomes(answer)) == {"created"}
    assert answer.elapsed.total_seconds() < 10


def test_incomplete_minutes_are_listed_by_their_highest_revision(api, report_json):
    def incomplete(report: dict) -> dict:
        return report | {"complete": False, "completeness": report["completeness"] | {"complete": False}}

    batch = [report_json(1), incomplete(report_json(2)), incomplete(report_json(3)), report_json(3, 1)]
    batch += [report_json(4), incomplete(report_json(4, 1))]
    api.client.post(BATCH, json=batch)

    def listed(**asked: object) -> list[tuple[int, int]]:
        items = api.client.get(REPORTS, params=asked).json()["items"]
        return [(int(one["window"][14:16]), one["revision"]) for one in items]

    assert listed(complete="false") == [(4, 1), (2, 0)]
    assert listed(complete="true") == [(3, 1), (1, 0)]
    assert listed(complete="false", all_revisions=True) == [(4, 1), (4, 0), (2, 0)]
    assert listed(complete="false", limit=1) == [(4, 1)]


def test_reports_expire_by_the_services_own_setting(start_api, database_url, report_json):
    api = start_api(database_url, REPORT_REPORTS_RETENTION_DAYS="100")
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    old, young = now - timedelta(days=101), now - timedelta(days=99)
    api.client.post(BATCH, json=[
        report_at(report_json, old), report_at(report_json, old, 1),
        report_at(report_json, old + timedelta(minutes=1)),
        report_at(report_json, old + timedelta(minutes=2)), report_at(report_json, old + timedelta(minutes=2), 1),
        report_at(report_json, young),
    ])  # fmt: skip
    execute(database_url, "UPDATE reports SET received_at = window_start + interval '61 s'")
    # An old minute that was revised yesterday is kept whole, and so is one that was replayed.
    yesterday = "UPDATE reports SET received_at = clock_timestamp() - interval '23 hours' WHERE window_start = %s"
    execute(database_url, f"{yesterday} AND revision = 1", (old + timedelta(minutes=2),))

    answer = api.client.post(f"{REPORTS}/expire")

    assert (answer.json()["minutes"], answer.json()["revisions"], answer.json()["more"]) == (2, 3, False)
    left = execute(database_url, "SELECT window_start, revision FROM reports ORDER BY 1, 2")
    assert left == [(old + timedelta(minutes=2), 0), (old + timedelta(minutes=2), 1), (young, 0)]
    assert api.client.post(f"{REPORTS}/expire").json()["revisions"] == 0
    held = api.client.get(f"{REPORTS}/holdings").json()
    assert (held["minutes"], held["revisions"], held["retention_days"]) == (2, 3, 100)
    assert held["revisions_last_day"] == 1
    assert held["bytes"] == execute(database_url, "SELECT pg_total_relation_size('reports')")[0][0]
    assert held["oldest_window"] == f"{old + timedelta(minutes=2):%Y-%m-%dT%H:%M:00Z}"


def test_a_killed_postgres_loses_no_batch_that_was_acknowledged(api, postgres, report_json):
    assert set(outcomes(api.client.post(BATCH, json=[report_json(n) for n in range(10)]))) == {"created"}
    postgres.kill()
    try:
        assert api.client.post(BATCH, json=[report_json(n) for n in range(20)]).status_code == 503
    finally:
        postgres.start()

    wait_for(lambda: api.client.get("/readyz").status_code == 200, seconds=20, what="the API to recover by itself")
    again = outcomes(api.client.post(BATCH, json=[report_json(n) for n in range(20)]))
    assert again == ["unchanged"] * 10 + ["created"] * 10
