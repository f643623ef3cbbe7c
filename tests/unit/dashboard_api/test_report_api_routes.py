"""What the report API answers, over reports in memory."""

from __future__ import annotations

from datetime import datetime

import pytest
from fastapi.testclient import TestClient

from clickpulse.reports import Report
from clickpulse.stored_reports import StoredReport
from dashboard_api.app import create_app
from dashboard_api.memory import MemoryReports

PROBLEM = "application/problem+json"
REPORTS = "/api/v1/reports"


def test_a_posted_report_is_stored_and_read_back_as_posted(client, report_json):
    posted = report_json()

    answer = client.post(REPORTS, json=posted)

    assert answer.status_code == 201
    assert answer.headers["location"] == f"{REPORTS}/2026-11-22T10:05Z?revision=0"
    read = client.get(answer.headers["location"]).json()
    added = {name: read.pop(name) for name in ("received_at", "freshness_seconds")}
    assert read == posted
    received = datetime.fromisoformat(added["received_at"])
    ended = datetime.fromisoformat(posted["window_end"])
    assert added["freshness_seconds"] == pytest.approx((received - ended).total_seconds(), abs=0.002)


def test_the_stored_report_keeps_the_digest_of_the_posted_one(client, report_json):
    stored = StoredReport.model_validate(client.post(REPORTS, json=report_json()).json())

    assert stored.digest() == Report.model_validate(report_json()).digest()


def test_the_same_content_again_is_200_and_changes_nothing(client, report_json):
    first = client.post(REPORTS, json=report_json())

    again = client.post(REPORTS, json=report_json(timings=None))

    assert again.status_code == 200
    assert again.json() == first.json()


def test_other_content_under_the_same_key_is_refused(client, report_json):
    first = client.post(REPORTS, json=report_json())

    other = client.post(REPORTS, json=report_json(revision_reason="something else"))

    assert other.status_code == 409
    problem = other.json()
    assert problem["type"].endswith(":report-conflict")
    assert problem["stored_digest"] == Report.model_validate(report_json()).digest()
    assert problem["posted_digest"] != problem["stored_digest"]
    assert client.get(first.headers["location"]).json() == first.json()


def test_latest_is_the_highest_revision_of_the_newest_minute(client, report_json):
    assert client.get(f"{REPORTS}/latest").status_code == 404
    for minute, revision in ((7, 0), (5, 0), (5, 3), (7, 1)):
        client.post(REPORTS, json=report_json(minute, revision))

    latest = client.get(f"{REPORTS}/latest").json()

    assert (latest["window"], latest["revision"]) == ("2026-11-22T10:07:00Z", 1)


def test_one_minute_by_default_in_its_highest_revision(client, report_json):
    for revision in (0, 2, 1):
        client.post(REPORTS, json=report_json(5, revision))

    assert client.get(f"{REPORTS}/2026-11-22T10:05Z").json()["revision"] == 2
    assert client.get(f"{REPORTS}/2026-11-22T11:05:00+01:00").json()["revision"] == 2
    assert client.get(f"{REPORTS}/2026-11-22T10:05Z?revision=1").json()["revision"] == 1
    revisions = client.get(f"{REPORTS}/2026-11-22T10:05Z/revisions").json()
    assert [one["revision"] for one in revisions["revisions"]] == [2, 1, 0]
    for address in ("2026-11-22T10:06Z", "2026-11-22T10:05Z?revision=9", "2026-11-22T10:06Z/revisions"):
        missing = client.get(f"{REPORTS}/{address}")
        assert missing.status_code == 404, address
        assert missing.json()["type"].endswith(":report-not-found")


def test_a_range_is_half_open_and_newest_first(client, report_json):
    for minute in (4, 5, 6, 7):
        client.post(REPORTS, json=report_json(minute))
    client.post(REPORTS, json=report_json(5, 1))

    found = client.get(REPORTS, params={"from": "2026-11-22T10:05Z", "to": "2026-11-22T10:07Z"}).json()

    assert [(one["window"][11:16], one["revision"]) for one in found["items"]] == [("10:06", 0), ("10:05", 1)]
    assert found["next_cursor"] is None


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 50])
@pytest.mark.parametrize("all_revisions", [False, True])
def test_pages_hold_every_report_once(client, report_json, limit, all_revisions):
    keys = [(minute, revision) for minute in range(10, 15) for revision in range(minute % 3 + 1)]
    for minute, revision in keys:
        client.post(REPORTS, json=report_json(minute, revision))
    highest = [(minute, minute % 3) for minute in range(10, 15)]

    seen, cursor = [], None
    while True:
        parameters = {"limit": limit, "all_revisions": all_revisions} | ({"cursor": cursor} if cursor else {})
        page = client.get(REPORTS, params=parameters).json()
        assert 0 < len(page["items"]) <= limit
        seen += [(int(one["window"][14:16]), one["revision"]) for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert seen == sorted(keys if all_revisions else highest, reverse=True)


@pytest.mark.parametrize("address", ["latest", "2026-11-22T10:05Z", "2026-11-22T10:05Z/revisions", "?limit=3"])
def test_a_reader_who_has_it_already_gets_304_until_something_new_comes(client, report_json, address):
    address = f"{REPORTS}{address}" if address.startswith("?") else f"{REPORTS}/{address}"
    client.post(REPORTS, json=report_json())
    tag = client.get(address).headers["etag"]

    same = client.get(address, headers={"If-None-Match": f'"other", W/{tag}'})
    client.post(REPORTS, json=report_json(5, 1))
    changed = client.get(address, headers={"If-None-Match": tag})

    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


@pytest.mark.parametrize(
    ("address", "status", "says"),
    [
        ("/nowhere", 404, "/nowhere"),
        (f"{REPORTS}/10:05", 422, "window"),
        (f"{REPORTS}/2026-11-22T10:05", 422, "time zone"),
        (f"{REPORTS}/2026-11-22T10:05:30Z", 422, "whole minute"),
        (f"{REPORTS}/0001-01-01T00:00%2B10:00", 422, "out of range"),
        (f"{REPORTS}/2026-11-22T10:05Z?revision=-1", 422, "revision"),
        (f"{REPORTS}/2026-11-22T10:05Z?revision=99999999999", 422, "revision"),
        (f"{REPORTS}?from=yesterday", 422, "from"),
        (f"{REPORTS}?from=2026-11-22T10:05+01:00", 422, "%2B"),
        (f"{REPORTS}?from=2026-11-22T10:05Z&to=2026-11-22T10:04Z", 422, "later than to"),
        (f"{REPORTS}?limit=0", 422, "limit"),
        (f"{REPORTS}?limit=100000", 422, "limit"),
        (f"{REPORTS}?cursor=nonsense", 422, "cursor"),
        (f"{REPORTS}?cursor=ä", 422, "cursor"),
    ],
)
def test_a_wrong_address_is_a_problem_that_says_what_is_wrong(client, address, status, says):
    answer = client.get(address)

    assert answer.status_code == status
    assert answer.headers["content-type"] == PROBLEM
    problem = answer.json()
    assert {"type", "title", "status", "detail", "instance"} <= set(problem)
    assert problem["status"] == status
    assert says in answer.text


def test_a_wrong_method_names_those_that_are_possible(client):
    answer = client.delete(REPORTS)

    assert answer.status_code == 405
    assert answer.headers["content-type"] == PROBLEM
    assert answer.headers["allow"] == "GET, POST"


def test_a_bug_is_a_500_problem_without_its_details(api_settings):
    class Broken(MemoryReports):
        def latest(self):
            raise RuntimeError("internal secret")

    with TestClient(create_app(api_settings, Broken()), raise_server_exceptions=False) as broken:
        answer = broken.get(f"{REPORTS}/latest")

    assert answer.status_code == 500
    assert answer.headers["content-type"] == PROBLEM
    assert "secret" not in answer.text


def test_the_schema_that_is_served_accepts_what_is_posted(client, report_json):
    jsonschema = pytest.importorskip("jsonschema")
    schema = client.get("/api/v1/schemas/report").json()
    validator = jsonschema.Draft202012Validator(schema)

    assert validator.is_valid(report_json())
    assert not validator.is_valid(report_json(revision=-1))
