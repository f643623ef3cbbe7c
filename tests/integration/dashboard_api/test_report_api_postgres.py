"""The report API as a process on a real Postgres: concurrency, outages, migrations, restarts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg2
import pytest

from clickpulse.reports import Report
from clickpulse.settings import PROJECT_ROOT
from tests.support import wait_for

REPORTS = "/api/v1/reports"


def fetch(url: str, statement: str) -> list[tuple]:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def test_a_report_is_read_back_as_posted(api, database_url, report_json):
    posted = report_json()

    assert api.client.post(REPORTS, json=posted).status_code == 201

    read = api.client.get(f"{REPORTS}/latest").json()
    received, freshness = read.pop("received_at"), read.pop("freshness_seconds")
    assert read == posted
    row = fetch(
        database_url,
        "SELECT window_start, revision, complete, digest, events, errors, anomalies, "
        "to_char(received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), "
        "extract(epoch FROM received_at - window_start)::float8 - 60 FROM reports",
    )[0]
    assert row[0].isoformat() == "2026-11-22T10:05:00+00:00"
    assert row[1:7] == (0, True, Report.model_validate(posted).digest(), 30_050, 240, 1)
    assert received == row[7]
    assert freshness == pytest.approx(row[8], abs=0.001)


def test_of_concurrent_posts_of_the_same_report_one_creates(api, database_url, report_json):
    for minute in range(5):
        body = report_json(minute)
        with ThreadPoolExecutor(24) as threads:
            answers = list(threads.map(lambda _, body=body: api.client.post(REPORTS, json=body), range(24)))

        assert Counter(answer.status_code for answer in answers) == {201: 1, 200: 23}
        assert len({answer.content for answer in answers}) == 1
    assert fetch(database_url, "SELECT count(*) FROM reports") == [(5,)]


def test_of_concurrent_posts_with_other_contents_exactly_one_wins(api, database_url, report_json):
    for minute in range(5):
        bodies = [report_json(minute, revision_reason=f"variant {number}") for number in range(24)]
        with ThreadPoolExecutor(24) as threads:
            answers = list(threads.map(lambda body: (body, api.client.post(REPORTS, json=body)), bodies))

        assert Counter(answer.status_code for _, answer in answers) == {201: 1, 409: 23}
        winner = next(body for body, answer in answers if answer.status_code == 201)
        stored = api.client.get(f"{REPORTS}/2026-11-22T10:{minute:02}Z").json()
        assert stored["revision_reason"] == winner["revision_reason"]
        digest = Report.model_validate(winner).digest()
        assert {answer.json()["stored_digest"] for _, answer in answers if answer.status_code == 409} == {digest}
    assert fetch(database_url, "SELECT count(*) FROM reports") == [(5,)]


def test_ranges_and_pages_are_those_of_the_posted_reports(api, report_json):
    keys = [(minute, revision) for minute in range(40) for revision in range(minute % 3 + 1)]
    for minute, revision in keys:
        assert api.client.post(REPORTS, json=report_json(minute, revision)).status_code == 201

    def listed(**parameters: object) -> list[tuple[int, int]]:
        seen, cursor = [], None
        while True:
            page = api.client.get(REPORTS, params=parameters | ({"cursor": cursor} if cursor else {})).json()
            seen += [(int(one["window"][14:16]), one["revision"]) for one in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                return seen

    highest = [(minute, minute % 3) for minute in range(40)]
    inside = {"from": "2026-11-22T10:07Z", "to": "2026-11-22T10:31Z"}
    assert listed(limit=7) == sorted(highest, reverse=True)
    assert listed(limit=7, **inside) == sorted((key for key in highest if 7 <= key[0] < 31), reverse=True)
    assert listed(limit=4, all_revisions=True) == sorted(keys, reverse=True)
    assert listed(limit=100, **{"from": "2027-01-01T00:00Z"}) == []
    revisions = api.client.get(f"{REPORTS}/2026-11-22T10:05Z/revisions").json()
    assert [one["revision"] for one in revisions["revisions"]] == [2, 1, 0]


def test_values_that_postgres_can_not_hold_are_refused(api, report_json):
    huge = report_json(revision=2**40)

    answer = api.client.post(REPORTS, json=huge)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_unchanged_range_costs_no_bodies(api, report_json):
    api.client.post(REPORTS, json=report_json(1))
    tag = api.client.get(REPORTS).headers["etag"]

    same = api.client.get(REPORTS, headers={"If-None-Match": tag})
    api.client.post(REPORTS, json=report_json(1, 1))
    changed = api.client.get(REPORTS, headers={"If-None-Match": tag})

    assert (same.status_code, same.content) == (304, b"")
    assert (changed.status_code, changed.json()["items"][0]["revision"]) == (200, 1)


def test_a_killed_postgres_is_a_503_until_it_is_back_and_loses_nothing(api, postgres, report_json):
    with ThreadPoolExecutor(8) as threads:  # fills the pool with connections that will die
        assert {
            a.status_code for a in threads.map(lambda n: api.client.post(REPORTS, json=report_json(n)), range(8))
        } == {201}

    postgres.kill()
    try:
        for address in ("/readyz", f"{REPORTS}/latest", REPORTS):
            answer = api.client.get(address)
            assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
            assert int(answer.headers["retry-after"]) >= 1
        assert api.client.post(REPORTS, json=report_json(30)).status_code == 503
        assert api.client.get("/healthz").status_code == 200
        assert "clickpulse_report_database_up 0.0" in api.client.get("/metrics").text
    finally:
        postgres.start()

    wait_for(lambda: api.client.get("/readyz").status_code == 200, seconds=20, what="the API to recover by itself")
    with ThreadPoolExecutor(8) as threads:
        statuses = Counter(threads.map(lambda _: api.client.get(f"{REPORTS}/latest").status_code, range(40)))
    assert statuses == {200: 40}
    assert len(api.client.get(REPORTS).json()["items"]) == 8
    assert api.client.post(REPORTS, json=report_json(30)).status_code == 201


def test_a_restart_of_postgres_between_requests_is_not_noticed(api, postgres, report_json):
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: api.client.post(REPORTS, json=report_json(n)), range(8)))

    postgres.stop()
    postgres.start()

    with ThreadPoolExecutor(8) as threads:
        statuses = Counter(threads.map(lambda _: api.client.get(f"{REPORTS}/latest").status_code, range(16)))
    assert statuses == {200: 16}


def test_started_before_postgres_it_migrates_when_that_comes(postgres, database_url, start_api, report_json):
    postgres.stop()
    try:
        api = start_api(database_url)
        assert api.client.get("/readyz").status_code == 503
    finally:
        postgres.start()

    wait_for(lambda: api.client.get("/readyz").status_code == 200, seconds=20, what="the API to reach Postgres")
    assert api.client.post(REPORTS, json=report_json()).status_code == 201


def test_reports_survive_a_restart_of_the_api(api, database_url, start_api, report_json):
    stored = api.client.post(REPORTS, json=report_json()).json()
    api.stop()

    again = start_api(database_url)

    assert again.client.get(f"{REPORTS}/latest").json() == stored
    assert again.client.post(REPORTS, json=report_json()).status_code == 200


def test_concurrent_migrations_apply_each_file_once(database_url):
    environment = os.environ | {"REPORT_API_DATABASE_URL": database_url, "REPORT_API_WRITE_TOKEN": "t"}
    command = [sys.executable, "-m", "dashboard_api.migrate"]

    running = [
        subprocess.Popen(command, cwd=PROJECT_ROOT, env=environment, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    outputs = [process.communicate(timeout=60)[1] for process in running]

    assert [process.returncode for process in running] == [0] * 4, outputs
    applied = [json.loads(output.splitlines()[-1])["applied"] for output in outputs]
    versions = [int(file.name[:4]) for file in sorted((PROJECT_ROOT / "dashboard_api/migrations").glob("*.sql"))]
    assert sorted(applied) == [[], [], [], versions]
    assert fetch(database_url, "SELECT version FROM schema_migrations ORDER BY version") == [(v,) for v in versions]


def test_a_migration_that_was_changed_afterwards_is_refused(api, database_url):
    api.stop()
    with closing(psycopg2.connect(database_url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("UPDATE schema_migrations SET checksum = 'x'")
    environment = os.environ | {"REPORT_API_DATABASE_URL": database_url, "REPORT_API_WRITE_TOKEN": "t"}

    done = subprocess.run(
        [sys.executable, "-m", "dashboard_api.migrate"],
        cwd=PROJECT_ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    assert "0001_reports.sql was changed" in done.stderr


def test_the_log_has_a_line_a_request_and_no_secrets(api, report_json):
    api.client.post(REPORTS, json=report_json(), headers={"X-Request-ID": "abc-123"})
    api.client.post(REPORTS, json=report_json(), headers={"Authorization": "Bearer wrong-token"})

    api.stop()
    text = api.log.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    requests = [line for line in lines if line["event"] == "request"]
    assert [(line["method"], line["status"]) for line in requests] == [("POST", 201), ("POST", 401)]
    assert requests[0]["request_id"] == "abc-123"
    for secret in ("integration-token", "wrong-token", "PAYMENT", "postgresql://"):
        assert secret not in text


def test_the_command_prints_what_is_stored(api, report_json):
    stored = api.client.post(REPORTS, json=report_json()).json()

    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import typer; from clickpulse.report_commands import report; typer.run(report)",
            "--json",
        ],
        cwd=PROJECT_ROOT,
        env=os.environ | api.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert json.loads(done.stdout) == stored
