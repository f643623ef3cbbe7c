"""Many reports at once, and what there is of a range, over reports in memory."""

from __future__ import annotations

import json

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from clickpulse.reports import Report
from clickpulse.stored_reports import SummaryPage
from dashboard_api import parameters, routes_reading
from dashboard_api.app import create_app
from dashboard_api.bodies import MAX_BATCH_BYTES, MAX_BATCH_REPORTS, MAX_BYTES
from dashboard_api.settings import ReportApiSettings

REPORTS = "/api/v1/reports"
BATCH = f"{REPORTS}/batch"
SUMMARIES = f"{REPORTS}/summaries"
HOUR = {"from": "2026-11-22T10:00Z", "to": "2026-11-22T11:00Z"}


def incomplete(report: dict) -> dict:
    return report | {"complete": False, "completeness": report["completeness"] | {"complete": False}}


def test_each_report_of_a_batch_has_its_outcome_in_its_place(client, report_json):
    client.post(REPORTS, json=report_json(5))
    client.post(REPORTS, json=report_json(6))
    lacking = {name: value for name, value in report_json(8).items() if name != "totals"}
    batch = [
        report_json(7),
        report_json(5, timings=None),
        report_json(6, revision_reason="other"),
        lacking,
        report_json(7),
        report_json(7, revision_reason="other"),
        report_json(7, 1),
        "not a report",
    ]

    answer = client.post(BATCH, json=batch)

    assert answer.status_code == 200
    found = answer.json()
    assert [(one["window"] and one["window"][14:16], one["revision"], one["outcome"]) for one in found] == [
        ("07", 0, "created"),
        ("05", 0, "unchanged"),
        ("06", 0, "conflict"),
        ("08", 0, "invalid"),
        ("07", 0, "unchanged"),
        ("07", 0, "conflict"),
        ("07", 1, "created"),
        (None, None, "invalid"),
    ]
    assert ["detail" in one for one in found] == [False, False, True, True, False, True, False, True]
    assert "#/totals" in found[3]["detail"]
    assert client.get(f"{REPORTS}/2026-11-22T10:08Z").status_code == 404
    assert client.get(f"{REPORTS}/2026-11-22T10:07Z?revision=0").json()["revision_reason"] is None


def test_a_batch_is_stored_as_single_posts_would_store_it(client, api_settings, report_json):
    reports = [report_json(minute, revision) for minute in range(5) for revision in range(minute % 2 + 1)]
    client.post(BATCH, json=reports)

    with TestClient(create_app(api_settings, type(client.app.state.repository)()), headers=client.headers) as other:
        for report in reports:
            other.post(REPORTS, json=report)

        def read(asked: TestClient) -> list[dict]:
            items = asked.get(REPORTS, params={"all_revisions": True}).json()["items"]
            return [{k: v for k, v in one.items() if k not in {"received_at", "freshness_seconds"}} for one in items]

        assert read(client) == read(other) == sorted(reports, key=lambda r: (r["window"], r["revision"]), reverse=True)


def test_a_batch_counts_as_one_request_and_its_reports_as_posts(memory, report_json):
    settings = ReportApiSettings(
        write_token="w", admin_token="a", writes_per_minute=2, database_url="postgresql://none"
    )
    with TestClient(create_app(settings, memory), headers={"Authorization": "Bearer w"}) as client:
        batch = [report_json(minute) for minute in range(10)]
        assert client.post(BATCH, json=[*batch, {}]).headers["ratelimit"].split(";")[1] == "r=1"
        client.post(BATCH, json=[report_json(0), report_json(1, revision_reason="other")])
        assert client.post(BATCH, json=batch).status_code == 429

        families = text_string_to_metric_families(client.get("/metrics").text)
        values = {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}
    posted = {
        result: values["clickpulse_reports_posted_total", result] for result in ("created", "unchanged", "conflict")
    }
    assert posted == {"created": 10, "unchanged": 1, "conflict": 1}
    assert values["clickpulse_report_freshness_seconds_count", "first"] == 10


def test_those_who_follow_are_told_of_each_report_of_a_batch(client, memory, report_json):
    told = []
    memory.watch(lambda: told.append(memory.newest_position()))

    client.post(BATCH, json=[report_json(5), report_json(6)])

    assert told
    assert [str(row.window) for _, row in memory.after(0, 10)] == ["2026-11-22T10:05Z", "2026-11-22T10:06Z"]


@pytest.mark.parametrize("token", [None, "unit-test-reader"])
def test_a_batch_needs_the_right_to_write(client, report_json, token):
    headers = {"Authorization": f"Bearer {token}"} if token else {"Authorization": ""}

    answer = client.post(BATCH, json=[report_json()], headers=headers)

    assert answer.status_code == (403 if token else 401)
    assert client.get(f"{REPORTS}/latest").status_code == 404


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "#"),
        (b"{}", "array"),
        (b"[", "#"),
        (b"[" * 100_000, "#"),
        (json.dumps([{}] * (MAX_BATCH_REPORTS + 1)).encode(), f"at most {MAX_BATCH_REPORTS}"),
    ],
)
def test_what_is_no_array_of_so_many_reports_is_refused(client, body, says):
    answer = client.post(BATCH, content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert says in answer.json()["detail"]


def test_too_large_bodies_and_reports_are_refused(client, report_json):
    long = report_json(5, revision_reason="x" * MAX_BYTES)

    whole = client.post(BATCH, content=b" " * (MAX_BATCH_BYTES + 1), headers={"Content-Type": "application/json"})
    one = client.post(BATCH, json=[long, report_json(6)]).json()

    assert whole.status_code == 413
    assert [outcome["outcome"] for outcome in one] == ["invalid", "created"]
    assert str(MAX_BYTES) in one[0]["detail"]
    assert client.post(BATCH, json=[report_json()], headers={"Content-Type": "text/plain"}).status_code == 415


def test_an_empty_batch_is_no_mistake(client):
    answer = client.post(BATCH, json=[])

    assert (answer.status_code, answer.json()) == (200, [])


def test_numbers_that_json_does_not_know_are_invalid_in_a_batch_too(client, report_json):
    report = report_json()
    report["anomalies"] = [report["anomalies"][0] | {"score": 12345.5}]
    body = json.dumps([report]).replace("12345.5", "NaN")

    (outcome,) = client.post(BATCH, content=body, headers={"Content-Type": "application/json"}).json()

    assert outcome["outcome"] == "invalid"
    assert "#/anomalies/0/score" in outcome["detail"]


def test_summaries_are_those_of_the_highest_revisions_oldest_first(client, report_json):
    progress = [{"partition": 0, "target_offset": 10, "committed_offset": 12}]
    progress += [{"partition": 3, "target_offset": 20, "committed_offset": 24}]
    late = report_json(5, 1, revision_reason="2 late events")
    late["completeness"] = late["completeness"] | {"partitions": progress}
    for report in (report_json(6), report_json(5), late, report_json(4)):
        client.post(REPORTS, json=report)

    page = client.get(SUMMARIES, params={"from": "2026-11-22T10:05Z", "to": "2026-11-22T10:07Z"}).json()

    assert page["next_from"] is None
    assert [(one["window"], one["revision"]) for one in page["items"]] == [
        ("2026-11-22T10:05:00Z", 1),
        ("2026-11-22T10:06:00Z", 0),
    ]
    first = page["items"][0]
    assert first.pop("received_at") == client.get(f"{REPORTS}/2026-11-22T10:05Z").json()["received_at"]
    assert first == {
        "window": "2026-11-22T10:05:00Z",
        "revision": 1,
        "revision_reason": "2 late events",
        "complete": True,
        "events": 30_050,
        "digest": Report.model_validate(late).digest(),
        "cutoff": {"0": 12, "3": 24},
    }


def test_pages_of_summaries_hold_every_minute_once(client, report_json, monkeypatch):
    monkeypatch.setattr(routes_reading, "MAX_SUMMARIES", 3)
    for minute in range(8):
        client.post(REPORTS, json=report_json(minute))
        client.post(REPORTS, json=report_json(minute, 1))

    seen, start = [], HOUR["from"]
    while start:
        page = client.get(SUMMARIES, params={"from": start, "to": HOUR["to"]}).json()
        assert 0 < len(page["items"]) <= 3
        seen += [int(one["window"][14:16]) for one in page["items"]]
        start = page["next_from"]

    assert seen == list(range(8))
    assert parameters.MAX_SUMMARIES == 1500


def test_a_reader_who_has_the_summaries_gets_304_until_something_new_comes(client, report_json):
    client.post(REPORTS, json=report_json(5))
    tag = client.get(SUMMARIES, params=HOUR).headers["etag"]

    same = client.get(SUMMARIES, params=HOUR, headers={"If-None-Match": tag})
    client.post(REPORTS, json=report_json(5, 1))
    changed = client.get(SUMMARIES, params=HOUR, headers={"If-None-Match": tag})

    assert (same.status_code, same.content) == (304, b"")
    assert changed.json()["items"][0]["revision"] == 1


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"from": "2026-11-22T10:05Z"}, "to"),
        ({"to": "2026-11-22T10:05Z"}, "from"),
        ({"from": "2026-11-22T10:06Z", "to": "2026-11-22T10:05Z"}, "later than to"),
        ({"from": "yesterday", "to": "2026-11-22T10:05Z"}, "from"),
    ],
)
def test_summaries_of_no_range_are_a_problem(client, asked, says):
    answer = client.get(SUMMARIES, params=asked)

    assert answer.status_code == 422
    assert says in answer.json()["detail"]


@pytest.mark.parametrize("all_revisions", [False, True])
def test_a_listing_by_completeness_asks_the_highest_revision(client, report_json, all_revisions):
    for report in (
        report_json(1),
        incomplete(report_json(2)),
        incomplete(report_json(3)),
        report_json(3, 1),
        report_json(4),
        incomplete(report_json(4, 1)),
    ):
        assert client.post(REPORTS, json=report).status_code == 201

    def listed(**asked: object) -> list[tuple[int, int]]:
        items = client.get(REPORTS, params=asked | {"all_revisions": all_revisions}).json()["items"]
        return [(int(one["window"][14:16]), one["revision"]) for one in items]

    older = [(4, 0)] if all_revisions else []
    assert listed(complete="false") == [(4, 1), *older, (2, 0)]
    older = [(3, 0)] if all_revisions else []
    assert listed(complete="true") == [(3, 1), *older, (1, 0)]


def test_openapi_describes_batches_and_summaries_with_examples_that_are_valid(client):
    paths = client.get("/openapi.json").json()["paths"]

    post, get = paths[BATCH]["post"], paths[SUMMARIES]["get"]
    for report in post["requestBody"]["content"]["application/json"]["example"]:
        Report.model_validate(report)
    assert {"200", "401", "403", "413", "415", "422", "429", "503"} <= set(post["responses"])
    SummaryPage.model_validate(get["responses"]["200"]["content"]["application/json"]["example"])
    assert {"304", "422", "429", "503"} <= set(get["responses"])
