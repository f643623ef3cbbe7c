"""Who may do what, and how often."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError

from dashboard_api.app import create_app
from dashboard_api.settings import ReportApiSettings

PROBLEM = "application/problem+json"
REPORTS = "/api/v1/reports"
MINUTE = f"{REPORTS}/2026-11-22T10:05Z"
TOKENS = {"write_token": "w", "read_token": "r", "admin_token": "a"}


@pytest.fixture
def start(memory):
    """A service with the settings given, and one report; a function that asks with a token."""

    def started(**settings):
        made = ReportApiSettings(**{"database_url": "postgresql://none", **TOKENS, **settings})
        client = TestClient(create_app(made, memory))

        def ask(token: str | None, method: str = "GET", address: str = MINUTE, **options):
            headers = {"Authorization": f"Bearer {token}".encode()} if token else {}
            return client.request(method, address, headers=headers, **options)

        return ask

    return started


@pytest.mark.parametrize(
    ("token", "read", "write", "withdraw"),
    [(None, 401, 401, 401), ("x", 401, 401, 401), ("r", 200, 403, 403), ("w", 403, 200, 403), ("a", 200, 200, 200)],
)
def test_each_scope_allows_its_own_and_admin_all(start, report_json, token, read, write, withdraw):
    ask = start(open_reads=False)
    ask("a", "POST", REPORTS, json=report_json())

    assert ask(token).status_code == read
    assert ask(token, "POST", REPORTS, json=report_json()).status_code == write
    assert ask(token, "DELETE").status_code == withdraw
    assert ask("a").status_code == (404 if withdraw == 200 else 200)


def test_open_reads_need_no_token_and_take_any_known(start, report_json):
    ask = start(open_reads=True)
    ask("w", "POST", REPORTS, json=report_json())

    assert [ask(token).status_code for token in (None, "r", "w", "a", "größer")] == [200, 200, 200, 200, 401]
    assert ask(None, "POST", REPORTS, json=report_json()).status_code == 401


def test_refusals_say_what_is_missing_as_rfc_6750_wants(start, report_json):
    ask = start()

    none = ask(None, "POST", REPORTS, json=report_json())
    unknown = ask("x", "POST", REPORTS, json=report_json())
    too_little = ask("r", "POST", REPORTS, json=report_json())

    assert [answer.headers["content-type"] for answer in (none, unknown, too_little)] == [PROBLEM] * 3
    assert none.headers["www-authenticate"] == 'Bearer realm="clickpulse"'
    assert unknown.headers["www-authenticate"] == 'Bearer realm="clickpulse", error="invalid_token"'
    assert too_little.status_code == 403
    assert too_little.headers["www-authenticate"].endswith('error="insufficient_scope", scope="reports:write"')
    assert "reports:write" in too_little.json()["detail"]


def test_another_scheme_counts_as_no_token(client, report_json):
    answer = client.post(REPORTS, json=report_json(), headers={"Authorization": "Basic dzp3"})

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_while_a_token_is_replaced_the_old_one_and_the_new_are_taken(start, report_json):
    ask = start(write_token="old, new")

    assert [ask(t, "POST", REPORTS, json=report_json()).status_code for t in ("old", "new", "old, new")] == [
        201,
        200,
        401,
    ]


def test_the_log_tells_tokens_apart_and_never_has_them(start, report_json, logs):
    ask = start(write_token="first-secret,second-secret")
    for token in ("first-secret", "second-secret", "wrong-secret"):
        ask(token, "POST", REPORTS, json=report_json())

    names = [line["token"] for line in logs if line["event"] == "request"]
    assert len({name for name in names if name}) == 2
    assert names[2] is None
    assert "secret" not in str(logs)


@pytest.mark.parametrize("empty", ["", " ", ","])
def test_a_variable_without_a_token_is_refused(empty):
    with pytest.raises(ValidationError, match="holds no token"):
        ReportApiSettings(write_token=empty, database_url="postgresql://none")


def test_health_is_open_and_metrics_are_by_setting(start):
    ask = start(open_reads=False, open_metrics=False, reads_per_minute=1)

    for _ in range(3):
        assert [ask(None, address=page).status_code for page in ("/healthz", "/readyz")] == [200, 200]
    assert [ask(token, address="/metrics").status_code for token in (None, "x", "w", "r", "a")] == [
        401,
        401,
        403,
        200,
        200,
    ]
    assert start(open_metrics=True)(None, address="/metrics").status_code == 200


def test_one_request_too_many_is_429_and_says_when_to_come_back(start):
    ask = start(reads_per_minute=3)

    answers = [ask("r") for _ in range(4)]

    assert [answer.status_code for answer in answers] == [404, 404, 404, 429]
    assert [answer.headers["ratelimit"].split(";")[1] for answer in answers] == ["r=2", "r=1", "r=0", "r=0"]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"reads";q=3;w=60'}
    refused = answers[-1]
    assert refused.headers["content-type"] == PROBLEM
    assert refused.json()["type"].endswith(":rate-limited")
    assert 55 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["ratelimit"].endswith(f"t={refused.headers['retry-after']}")


def test_tokens_reads_and_writes_are_counted_apart(start, report_json):
    ask = start(reads_per_minute=2, writes_per_minute=1)

    assert [ask("a").status_code for _ in range(3)] == [404, 404, 429]
    assert ask("r").status_code == 404
    assert [ask("a", "POST", REPORTS, json=report_json()).status_code for _ in range(2)] == [201, 429]
    assert ask("w", "POST", REPORTS, json=report_json()).status_code == 200
    assert ask("a", "DELETE").status_code == 429


def test_guesses_count_for_the_address_they_come_from(start):
    ask = start(reads_per_minute=2)

    assert [ask(guess).status_code for guess in ("g1", "g2", "g3")] == [401, 401, 429]
    assert ask(None).status_code == 429
    assert ask("r").status_code == 404


def test_withdrawn_reports_are_gone_and_their_key_is_free(client, report_json, logs):
    for revision in (0, 1):
        client.post(REPORTS, json=report_json(5, revision))
    client.post(REPORTS, json=report_json(6))

    one = client.delete(f"{MINUTE}?revision=1")
    assert [item["revision"] for item in one.json()["revisions"]] == [1]
    assert client.get(MINUTE).json()["revision"] == 0
    rest = client.delete(MINUTE)

    assert [item["revision"] for item in rest.json()["revisions"]] == [0]
    assert client.get(MINUTE).status_code == client.delete(MINUTE).status_code == 404
    assert client.get(f"{REPORTS}/2026-11-22T10:06Z").status_code == 200
    assert [line["revision"] for line in logs if line["event"] == "report withdrawn"] == [1, 0]
    assert client.post(REPORTS, json=report_json(revision_reason="anew")).status_code == 201
