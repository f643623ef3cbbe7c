"""Which posted bodies are refused, and that the answer says where they are wrong."""

from __future__ import annotations

import copy
import json

import pytest

from dashboard_api.bodies import MAX_BYTES, pointer

REPORTS = "/api/v1/reports"


def post(client, body: str | bytes, content_type: str = "application/json"):
    return client.post(REPORTS, content=body, headers={"Content-Type": content_type})


def without(report, *path):
    changed = copy.deepcopy(report)
    part = changed
    for step in path[:-1]:
        part = part[step]
    del part[path[-1]]
    return changed


def replaced(report, value, *path):
    changed = copy.deepcopy(report)
    part = changed
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    return changed


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda r: without(r, "totals"), "#/totals"),
        (lambda r: without(r, "by_event_type", "PAYMENT", "errors"), "#/by_event_type/PAYMENT/errors"),
        (lambda r: without(r, "by_event_type", "SEARCH"), "#"),
        (lambda r: replaced(r, -1, "revision"), "#/revision"),
        (lambda r: replaced(r, "2026-11-22T10:05:00", "window"), "#/window"),
        (lambda r: replaced(r, "2026-11-22T10:05:01Z", "window"), "#"),
        (lambda r: replaced(r, 1.5, "totals", "error_rate"), "#/totals/error_rate"),
        (lambda r: replaced(r, 5, "totals", "successes"), "#/totals"),
        (lambda r: replaced(r, "FOO", "anomalies", 0, "event_type"), "#/anomalies/0/event_type"),
        (lambda r: r | {"surprise": 1}, "#/surprise"),
        (lambda r: replaced(r, "2", "schema_version"), "#/schema_version"),
        (lambda r: replaced(r, "a\x00b", "anomalies", 0, "message"), "#/anomalies/0/message"),
        (lambda r: replaced(r, "0001-01-01T00:00:00+10:00", "window"), "#"),
    ],
)
def test_an_invalid_report_is_refused_with_the_place(client, report_json, change, place):
    answer = post(client, json.dumps(change(report_json())))

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert place in [error["pointer"] for error in problem["errors"]]
    assert all(error["detail"] for error in problem["errors"])
    assert client.get(f"{REPORTS}/latest").status_code == 404


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_json_does_not_know_are_refused(client, report_json, number):
    body = json.dumps(replaced(report_json(), 12345.5, "anomalies", 0, "score")).replace("12345.5", number)

    answer = post(client, body)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "#/anomalies/0/score"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(client, body):
    assert post(client, body).status_code == 422


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_another_content_type_is_refused(client, report_json, content_type):
    answer = post(client, json.dumps(report_json()), content_type)

    assert answer.status_code == 415
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_content_type_may_name_a_character_set(client, report_json):
    assert post(client, json.dumps(report_json()), "application/JSON; charset=utf-8").status_code == 201


def test_a_body_of_the_limit_is_read_and_one_byte_more_is_not(client, report_json):
    body = json.dumps(report_json())
    padded = body + " " * (MAX_BYTES - len(body))

    assert post(client, padded + " ").status_code == 413
    assert post(client, padded).status_code == 201


def test_the_limit_holds_without_a_declared_length(client):
    def chunks():
        for _ in range(MAX_BYTES // 65536 + 1):
            yield b" " * 65536

    answer = client.post(REPORTS, content=chunks(), headers={"Content-Type": "application/json"})

    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_token_is_checked_before_the_body(client):
    answer = client.post(REPORTS, content=b"{", headers={"Authorization": "Bearer wrong"})

    assert answer.status_code == 401


def test_pointers_are_escaped():
    assert pointer(("a/b", "~", 0, "[key]")) == "#/a~1b/~0/0"
