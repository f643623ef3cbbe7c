"""Accounts of minutes at the report API, kept in memory."""

from __future__ import annotations

from typing import Any

import pytest

from clickpulse.accounting.record import AccountedMinute, AccountList

ACCOUNTS = "/api/v1/accounts"
DAY = {"from": "2026-11-22T00:00Z", "to": "2026-11-23T00:00Z"}


def account(minute: int = 5, checked: str = "2026-11-22T11:00:00Z", **members: Any) -> dict[str, Any]:
    return {
        "acknowledged": 10,
        "reported": 8,
        "duplicates": 1,
        "late": 0,
        "dead_lettered": 1,
        "pending": 0,
        "missing": 0,
        "unexpected": 0,
        "window": f"2026-11-22T10:{minute:02}:00Z",
        "revision": 1,
        "complete": True,
        "problems": [],
        "notes": [{"kind": "duplicate", "partition": 3, "offsets": [[7, 7]], "detail": "counts elsewhere"}],
        "checked_at": checked,
    } | members


def test_posted_accounts_are_read_back_newest_minute_first(client):
    posted = [account(4), account(6), account(5)]

    answer = client.post(ACCOUNTS, json=posted)

    assert (answer.status_code, answer.json()) == (200, {"stored": 3, "known": 0})
    read = client.get(ACCOUNTS, params=DAY).json()
    assert read == {"items": [account(6), account(5), account(4)]}
    assert AccountList.model_validate(read).items[1].adds_up


def test_of_two_accounts_of_a_minute_the_one_checked_later_stays(client):
    problem = {"kind": "missing", "partition": 0, "offsets": [[1, 4]], "detail": "lost"}
    older, newer = account(checked="2026-11-22T11:00:00Z", problems=[problem]), account(checked="2026-11-22T11:00:01Z")

    answers = [client.post(ACCOUNTS, json=[one]).json() for one in (older, newer, older, newer)]

    assert [answer["stored"] for answer in answers] == [1, 1, 0, 0]
    assert [answer["known"] for answer in answers] == [0, 0, 1, 1]
    assert client.get(ACCOUNTS, params=DAY).json() == {"items": [newer]}


def test_a_range_is_half_open_and_limited(client):
    client.post(ACCOUNTS, json=[account(minute) for minute in range(10, 20)])

    found = client.get(ACCOUNTS, params={"from": "2026-11-22T10:12Z", "to": "2026-11-22T10:18Z", "limit": 4}).json()

    assert [one["window"][14:16] for one in found["items"]] == ["17", "16", "15", "14"]


def test_a_reader_who_has_it_already_gets_304_until_something_new_comes(client):
    client.post(ACCOUNTS, json=[account()])
    tag = client.get(ACCOUNTS, params=DAY).headers["etag"]

    same = client.get(ACCOUNTS, params=DAY, headers={"If-None-Match": tag})
    client.post(ACCOUNTS, json=[account(checked="2026-11-22T11:05:00Z")])
    changed = client.get(ACCOUNTS, params=DAY, headers={"If-None-Match": tag})

    assert (same.status_code, same.content) == (304, b"")
    assert changed.status_code == 200


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"window": "x"}, "valid array"),
        ([account(acknowledged=11)], "the groups hold 10 messages"),
        ([account(window="2026-11-22T10:05:30Z")], "whole minute"),
        ([account(window="2026-11-22T10:05:00")], "#/0/window"),
        ([account(missing=-1)], "#/0/missing"),
        ([account(surprise=1)], "#/0/surprise"),
        ([account(problems=[{"kind": "a\0", "partition": None, "offsets": [], "detail": ""}])], "NUL"),
        ([account(), account()], "two accounts"),
    ],
)
def test_what_are_no_accounts_is_refused_with_the_place(client, body, says):
    answer = client.post(ACCOUNTS, json=body)

    assert answer.status_code == 422
    assert answer.json()["type"].endswith(":invalid-accounts")
    assert says in answer.text
    assert client.get(ACCOUNTS, params=DAY).json() == {"items": []}


def test_bodies_that_are_too_large_or_not_json_are_refused(client):
    assert client.post(ACCOUNTS, content=b"[]", headers={"Content-Type": "text/plain"}).status_code == 415
    assert client.post(ACCOUNTS, content=b" " * 2**21, headers={"Content-Type": "application/json"}).status_code == 413


@pytest.mark.parametrize("query", [{}, {"from": "yesterday", "to": "2026-11-23T00:00Z"}, DAY | {"limit": 0}])
def test_a_wrong_range_is_a_problem(client, query):
    assert client.get(ACCOUNTS, params=query).status_code == 422


def test_writing_needs_the_scope_to_write_and_reading_to_read(client):
    for token, write, read in (("unit-test-writer", 200, 200), ("unit-test-reader", 403, 200), ("wrong", 401, 401)):
        headers = {"Authorization": f"Bearer {token}"}
        assert client.post(ACCOUNTS, json=[account()], headers=headers).status_code == write
        assert client.get(ACCOUNTS, params=DAY, headers=headers).status_code == read


def test_the_document_describes_the_body_that_is_taken(client):
    document = client.get("/openapi.json").json()

    schema = document["paths"][ACCOUNTS]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert schema["items"] == {"$ref": "#/components/schemas/AccountedMinute"}
    assert set(document["components"]["schemas"]["AccountedMinute"]["properties"]) == set(account())
    assert set(AccountedMinute.model_fields) == set(account())


def test_accounts_are_kept_as_long_as_reports(client):
    old = "2020-01-01T00:00:00Z"
    client.post(ACCOUNTS, json=[account(window=old, checked=old), account(window="2020-01-01T00:01:00Z"), account()])

    assert client.post("/api/v1/reports/expire").status_code == 200

    whole = {"from": "2019-01-01T00:00Z", "to": "2030-01-01T00:00Z"}
    left = client.get(ACCOUNTS, params=whole).json()["items"]
    assert [one["window"] for one in left] == ["2026-11-22T10:05:00Z", "2020-01-01T00:01:00Z"]
