"""What Connect's REST interface says, and what is made of it."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from clickpulse.errors import ConfigurationError, TransientError
from connect.rest import ConnectorState, ConnectRest

TRACE = """org.apache.kafka.connect.errors.ConnectException: Exiting WorkerSinkTask
\tat org.apache.kafka.connect.runtime.WorkerSinkTask.deliverMessages(WorkerSinkTask.java:656)
Caused by: java.lang.RuntimeException: Number of records: 5
\t... 12 more
Caused by: com.clickhouse.client.ClickHouseException: Code: 60. Unknown table
"""
STATUS = {
    "name": "one",
    "connector": {"state": "RUNNING", "worker_id": "a:8083"},
    "tasks": [
        {"id": 0, "state": "RUNNING", "worker_id": "a:8083"},
        {"id": 1, "state": "FAILED", "worker_id": "b:8083", "trace": TRACE},
    ],
}


def rest(answers: dict[tuple[str, str], httpx.Response], asked: list[httpx.Request] | None = None) -> ConnectRest:
    def answer(request: httpx.Request) -> httpx.Response:
        if asked is not None:
            asked.append(request)
        return answers[request.method, request.url.path]

    return ConnectRest("http://connect:8083", "one", httpx.MockTransport(answer))


def test_a_failed_task_is_named_with_its_cause_and_its_whole_trace() -> None:
    state = rest({("GET", "/connectors/one/status"): httpx.Response(200, json=STATUS)}).state()
    assert state.registered
    assert not state.running
    (failed,) = state.failed
    assert failed.name == "task 1"
    assert failed.cause == "com.clickhouse.client.ClickHouseException: Code: 60. Unknown table"
    assert failed.trace == TRACE


def test_a_connector_without_a_task_does_not_run() -> None:
    assert not ConnectorState.parse(STATUS | {"tasks": []}).running
    assert ConnectorState.parse(STATUS | {"tasks": [STATUS["tasks"][0]]}).running  # type: ignore[index]


def test_none_registered_is_told_from_a_worker_that_is_still_starting() -> None:
    known = {"error_code": 404, "message": "No status found for connector one"}
    assert not rest({("GET", "/connectors/one/status"): httpx.Response(404, json=known)}).state().registered
    with pytest.raises(TransientError, match="starting"):
        rest({("GET", "/connectors/one/status"): httpx.Response(404, text="<html>Not Found</html>")}).state()


@pytest.mark.parametrize(
    ("registered", "changed"), [({"topics": "events"}, False), ({"topics": "other"}, True), (None, True)]
)
def test_registering_again_changes_nothing(registered: dict[str, str] | None, changed: bool) -> None:
    asked: list[httpx.Request] = []
    missing = httpx.Response(404, json={"error_code": 404, "message": "Connector one not found"})
    present = httpx.Response(200, json={"name": "one", **(registered or {})})
    answers = {
        ("GET", "/connectors/one/config"): missing if registered is None else present,
        ("PUT", "/connectors/one/config"): httpx.Response(201, json={}),
    }
    assert rest(answers, asked).register({"topics": "events"}) is changed
    written = [json.loads(request.content) for request in asked if request.method == "PUT"]
    assert written == ([{"topics": "events"}] if changed else [])


@pytest.mark.parametrize(("status", "error"), [(400, ConfigurationError), (409, TransientError), (500, TransientError)])
def test_a_refusal_is_told_from_a_busy_group(status: int, error: type[Exception]) -> None:
    refused = httpx.Response(status, json={"error_code": status, "message": "the reason"})
    with pytest.raises(error, match="the reason"):
        rest({("GET", "/connectors/one/config"): refused}).config()


def test_a_worker_that_is_gone_is_transient() -> None:
    def gone(request: httpx.Request) -> Any:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(TransientError, match="does not answer"):
        ConnectRest("http://connect:8083", "one", httpx.MockTransport(gone)).state()
