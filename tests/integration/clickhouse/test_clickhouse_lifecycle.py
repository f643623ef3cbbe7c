"""Starting, stopping and killing the server; its migrations."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, Error

from clickhouse.migrate import FOLDER, migrate
from clickpulse.errors import ConfigurationError
from clickpulse.migrations import read_migrations

MakeServer = Callable[..., Any]


def test_killed_while_inserting_it_loses_nothing_acknowledged(make_server: MakeServer) -> None:
    server = make_server().start()
    with server.client() as client:
        client.command("CREATE DATABASE kept")
        client.command("CREATE TABLE kept.t (batch UInt32, n UInt32) ENGINE = MergeTree ORDER BY batch")
    acknowledged: list[int] = []

    def insert_batches(first: int) -> None:
        with server.client(database="kept") as own:
            for batch in range(first, 1_000_000, 2):
                try:
                    own.insert("t", [[batch, n] for n in range(100)], column_names=["batch", "n"])
                except Error:
                    return
                acknowledged.append(batch)

    threads = [threading.Thread(target=insert_batches, args=(first,)) for first in (0, 1)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 30
    while len(acknowledged) < 60:
        assert time.monotonic() < deadline, f"only {len(acknowledged)} batches in 30 s"
        time.sleep(0.01)
    server.signal(signal.SIGKILL)
    for thread in threads:
        thread.join()
    server.start()
    with server.client(database="kept") as client:
        stored = dict(client.query("SELECT batch, count() FROM t GROUP BY batch").result_rows)
    assert set(acknowledged) <= set(stored)
    assert set(stored.values()) == {100}


def test_a_second_server_on_the_same_folder_is_refused(make_server: MakeServer) -> None:
    server = make_server().start()
    second = server.spawn()
    assert second.wait(30) == 1
    assert f"another ClickHouse server runs on {server.folder / 'data'}" in server.log.read_text()
    assert server.answers()


def test_a_folder_that_cannot_be_used(make_server: MakeServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    server = make_server(CLICKHOUSE_SERVER_DATA_DIR=str(tmp_path / "file" / "data"))
    assert server.spawn().wait(30) == 1
    assert "CLICKHOUSE_SERVER_DATA_DIR" in server.log.read_text()


def test_sigterm_lets_a_running_query_finish(make_server: MakeServer) -> None:
    server = make_server().start()
    answers: list[httpx.Response] = []
    query = threading.Thread(target=lambda: answers.append(server.post("SELECT 'done', sleep(1.5)")))
    query.start()
    deadline = time.monotonic() + 10
    while int(server.post("SELECT count() FROM system.processes WHERE query LIKE '%done%sleep%'").text) < 2:
        assert time.monotonic() < deadline, "the query did not start"
        time.sleep(0.02)
    assert server.signal(signal.SIGTERM) == 0
    query.join()
    assert answers[0].text == "done\t0\n"
    assert '"stopped"' in server.log.read_text()


def test_queries_wait_for_a_place(make_server: MakeServer) -> None:
    server = make_server(CLICKHOUSE_SERVER_MAX_CONNECTIONS="2").start()
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(server.post("SELECT sleep(0.2)").status_code)) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 6


def test_migrating_twice_changes_nothing_and_the_ttl_follows_its_setting(server: Any, database: str) -> None:
    first = server.migrate(CLICKHOUSE_DATABASE=database)
    assert first.returncode == 0, first.stderr
    with server.client(database=database) as client:
        listed = "SELECT version, name, checksum, applied_at FROM schema_migrations ORDER BY version"
        before = client.query(listed).result_rows
        assert [row[0] for row in before] == [migration.version for migration in read_migrations(FOLDER)]
        again = server.migrate(CLICKHOUSE_DATABASE=database, CLICKHOUSE_EVENT_TTL_DAYS="7")
        assert again.returncode == 0, again.stderr
        assert client.query(listed).result_rows == before
        for table in ("events", "minute_aggregates", "revision_cutoffs", "late_ledger"):
            assert "toIntervalDay(_CAST(7" in client.command(f"SHOW CREATE TABLE {table}")


def test_a_changed_migration_is_named(server: Any, database: str, tmp_path: Path) -> None:
    for path in FOLDER.glob("*.sql"):
        (tmp_path / path.name).write_text(path.read_text())
    settings = server.settings.model_copy(update={"database": database})
    assert len(migrate(settings, read_migrations(tmp_path))) == len(list(tmp_path.iterdir()))
    assert migrate(settings, read_migrations(tmp_path)) == []
    changed = tmp_path / "0002_events_per_minute.sql"
    changed.write_text(changed.read_text() + "\n-- a word more\n")
    with pytest.raises(ConfigurationError, match=r"0002_events_per_minute\.sql"):
        migrate(settings, read_migrations(tmp_path))


def test_the_ttl_drops_what_arrived_long_ago(server: Any, database: str) -> None:
    assert server.migrate(CLICKHOUSE_DATABASE=database, CLICKHOUSE_EVENT_TTL_DAYS="7").returncode == 0
    with server.client(database=database) as client:
        client.command("INSERT INTO events (kafka_offset, arrived_at) SELECT 1, now() - INTERVAL 9 DAY")
        # A replayed event is old, but it arrived today.
        client.command("INSERT INTO events (kafka_offset, event_timestamp) SELECT 2, '2014-01-01 00:00:00'")
        client.command("OPTIMIZE TABLE events FINAL")
        assert client.query("SELECT kafka_offset FROM events").result_rows == [(2,)]


def test_unknown_database(server: Any) -> None:
    with pytest.raises(DatabaseError) as caught:
        server.client(database="no_such_database")
    assert caught.value.code == 81
