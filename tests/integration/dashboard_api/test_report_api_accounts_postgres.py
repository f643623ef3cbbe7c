"""Accounts of minutes in a real Postgres."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import psycopg2

ACCOUNTS = "/api/v1/accounts"
HOUR = {"from": "2026-11-22T10:00Z", "to": "2026-11-22T11:00Z"}


def account(minute: int, second: int = 0, **members: Any) -> dict[str, Any]:
    return {
        "acknowledged": 100 + second,
        "reported": 90 + second,
        "duplicates": 4,
        "late": 3,
        "dead_lettered": 2,
        "pending": 1,
        "missing": 0,
        "unexpected": 0,
        "window": f"2026-11-22T10:{minute:02}:00Z",
        "revision": None,
        "complete": None,
        "problems": [],
        "notes": [{"kind": "late", "partition": 0, "offsets": [[2**40, 2**40 + 1]], "detail": "ü"}],
        "checked_at": f"2026-11-22T11:00:{second:02}Z",
    } | members


def test_accounts_are_read_back_as_posted_and_their_figures_are_columns(api, database_url):
    problem = {"kind": "missing", "partition": 1, "offsets": [[5, 6]], "detail": "lost"}
    posted = [account(3), account(7, problems=[problem], missing=0), account(5)]

    assert api.client.post(ACCOUNTS, json=posted).json() == {"stored": 3, "known": 0}

    assert api.client.get(ACCOUNTS, params=HOUR).json() == {"items": [posted[1], posted[2], posted[0]]}
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT extract(minute FROM window_start)::int, acknowledged, reported, late, adds_up "
            "FROM accounts ORDER BY 1"
        )
        assert cursor.fetchall() == [(3, 100, 90, 3, True), (5, 100, 90, 3, True), (7, 100, 90, 3, False)]


def test_of_concurrent_posts_the_one_checked_last_stays(api):
    posts = [[account(minute, second) for minute in range(20)] for second in range(24)]

    with ThreadPoolExecutor(24) as threads:
        answers = list(threads.map(lambda body: api.client.post(ACCOUNTS, json=body), reversed(posts)))

    assert {answer.status_code for answer in answers} == {200}
    assert all(answer.json()["stored"] + answer.json()["known"] == 20 for answer in answers)
    assert api.client.get(ACCOUNTS, params=HOUR).json()["items"] == list(reversed(posts[-1]))
    assert api.client.post(ACCOUNTS, json=posts[0]).json() == {"stored": 0, "known": 20}


def test_old_accounts_are_deleted_with_the_reports(api):
    old = "2020-01-01T00:00:00Z"
    kept = [account(5), account(0, window="2020-01-01T00:01:00Z")]
    api.client.post(ACCOUNTS, json=[*kept, account(0, window=old, checked_at=old)])

    assert api.client.post("/api/v1/reports/expire").status_code == 200

    whole = {"from": "2019-01-01T00:00Z", "to": "2030-01-01T00:00Z"}
    assert api.client.get(ACCOUNTS, params=whole).json() == {"items": kept}
