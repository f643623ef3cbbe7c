"""The stream of new reports, over reports in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from clickpulse.errors import TransientError
from clickpulse.reports import Report
from dashboard_api import stream
from dashboard_api.memory import MemoryReports
from dashboard_api.stream import Followers, events

STREAM = "/api/v1/reports/stream"


def read(text: str) -> tuple[int, dict]:
    """Id and data of an event named `report`."""
    fields = dict(line.split(": ", 1) for line in text.strip().splitlines())
    assert fields["event"] == "report"
    return int(fields["id"]), json.loads(fields["data"])


async def following(repository: MemoryReports, position: int = 0) -> tuple[Followers, AsyncIterator[str]]:
    followers = Followers(8)
    followers.open()
    repository.watch(followers.wake)
    text = events(followers, repository, position)
    assert (await anext(text)).startswith("retry: ")
    return followers, text


def test_reports_come_as_they_are_stored_in_their_order(memory, report_json):
    async def follow() -> list[tuple[int, str, int]]:
        _, text = await following(memory)
        found = []
        for minute, revision in ((5, 0), (4, 0), (5, 1)):
            memory.add(Report.model_validate(report_json(minute, revision)))
            number, data = read(await asyncio.wait_for(anext(text), 5))
            found.append((number, data["window"], data["revision"]))
        return found

    assert asyncio.run(follow()) == [
        (1, "2026-11-22T10:05:00Z", 0),
        (2, "2026-11-22T10:04:00Z", 0),
        (3, "2026-11-22T10:05:00Z", 1),
    ]


def test_who_comes_back_gets_what_was_missed_and_nothing_twice(memory, report_json, monkeypatch):
    monkeypatch.setattr(stream, "_AT_ONCE", 2)
    for minute in range(7):
        memory.add(Report.model_validate(report_json(minute)))

    async def follow() -> list[int]:
        _, text = await following(memory, position=2)
        return [read(await asyncio.wait_for(anext(text), 5))[0] for _ in range(5)]

    assert asyncio.run(follow()) == [3, 4, 5, 6, 7]


def test_a_quiet_stream_shows_that_it_lives_and_ends_with_the_service(memory, monkeypatch):
    monkeypatch.setattr(stream, "KEEP_ALIVE_SECONDS", 0.01)

    async def follow() -> None:
        followers, text = await following(memory)
        assert (await asyncio.wait_for(anext(text), 5)).startswith(":")
        assert len(followers) == 1
        followers.close()
        async for comment in text:
            assert comment.startswith(":")
        assert len(followers) == 0

    asyncio.run(follow())


def test_a_database_that_is_away_pauses_the_stream(memory, report_json, monkeypatch):
    monkeypatch.setattr(stream, "KEEP_ALIVE_SECONDS", 0.01)
    after, away = memory.after, [True, True]

    def sometimes(position: int, limit: int) -> list:
        if away:
            away.pop()
            raise TransientError("Postgres does not answer")
        return after(position, limit)

    monkeypatch.setattr(memory, "after", sometimes)
    memory.add(Report.model_validate(report_json()))

    async def follow() -> list[str]:
        _, text = await following(memory)
        return [await asyncio.wait_for(anext(text), 5) for _ in range(3)]

    first, second, third = asyncio.run(follow())
    assert first.startswith(":")
    assert second.startswith(":")
    assert read(third)[0] == 1


@pytest.mark.parametrize("number", ["-1", "x", str(2**63)])
def test_an_id_that_is_none_is_a_problem(client, number):
    answer = client.get(STREAM, headers={"Last-Event-ID": number})

    assert answer.status_code == 422
    assert "last-event-id" in answer.json()["detail"]


def test_there_are_only_so_many_streams(client):
    client.app.state.followers._most = 0

    answer = client.get(STREAM)

    assert answer.status_code == 503
    assert answer.json()["type"].endswith(":too-many-streams")
    assert int(answer.headers["retry-after"]) >= 1
