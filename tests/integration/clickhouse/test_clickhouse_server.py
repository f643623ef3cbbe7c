"""What clickhouse-connect and plain HTTP clients can do with the embedded server."""

from __future__ import annotations

import gzip
import json
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import clickhouse_connect
import lz4.frame
import pandas as pd
import pyarrow as pa
import pytest
import zstandard
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError
from clickhouse_connect.driver.external import ExternalData

from clickhouse.server.blocks import BlockDecoder, BlockEncoder

ROWS = [(1, "a'\\\n\tb", None, [1, 2]), (2, "ünï", 2.5, []), (2**63, "", -1.0, [3])]


def make_table(client: Client) -> None:
    client.command(
        "CREATE TABLE t (a UInt64, b String, c Nullable(Float64), d Array(UInt8)) ENGINE = MergeTree ORDER BY a"
    )


@pytest.mark.usefixtures("database")
def test_clients_own_ways_in_and_out(client: Client) -> None:
    make_table(client)
    assert client.insert("t", ROWS, column_names=["a", "b", "c", "d"]).written_rows == len(ROWS)
    assert client.query("SELECT * FROM t ORDER BY a").result_rows == ROWS
    assert client.query_df("SELECT * FROM t ORDER BY a")["a"].tolist() == [row[0] for row in ROWS]
    arrow = client.query_arrow("SELECT a, c FROM t ORDER BY a")
    assert arrow.to_pydict() == {"a": [row[0] for row in ROWS], "c": [row[2] for row in ROWS]}
    client.command("TRUNCATE TABLE t")
    client.insert_arrow("t", pa.table({"a": pa.array([5, 6], pa.uint64()), "b": ["x", "y"]}))
    client.insert_df("t", pd.DataFrame({"a": [7], "b": ["z"]}))
    client.raw_insert("t", column_names=["a", "b"], insert_block=b"8,w\n", fmt="CSV", compression=None)
    assert client.command("SELECT groupArray(b) FROM (SELECT b FROM t ORDER BY a)") == "['x','y','z','w']"
    with client.query_row_block_stream("SELECT number FROM numbers(300000)") as stream:
        assert sum(row[0] for block in stream for row in block) == 299999 * 300000 // 2


FORMATS = [
    "RowBinary", "RowBinaryWithNamesAndTypes", "Native", "JSONEachRow", "JSONCompactEachRow", "JSON", "CSV",
    "CSVWithNames", "TabSeparated", "TabSeparatedWithNamesAndTypes", "Values", "Parquet", "Arrow", "ArrowStream",
    "Avro",
]  # fmt: skip


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("fmt", FORMATS)
def test_what_a_format_writes_it_reads_again(client: Client, fmt: str) -> None:
    make_table(client)
    rows = [row for row in ROWS if row[0] < 2**63]  # Avro has no unsigned numbers
    client.insert("t", rows, column_names=["a", "b", "c", "d"])
    body = client.raw_query("SELECT * FROM t ORDER BY a", fmt=fmt)
    client.command("TRUNCATE TABLE t")
    client.raw_insert("t", insert_block=body, fmt=fmt)
    assert client.query("SELECT * FROM t ORDER BY a").result_rows == rows


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("fmt", ["TSVWithNames", "JSON", "ArrowStream", "Parquet", "RowBinaryWithNamesAndTypes"])
def test_a_result_of_many_blocks_is_one_document(client: Client, fmt: str) -> None:
    body = client.raw_query("SELECT number FROM numbers(200000)", fmt=fmt, settings={"max_block_size": 1000})
    client.command("CREATE TABLE n (number UInt64) ENGINE = Memory")
    client.raw_insert("n", insert_block=body, fmt=fmt)
    assert client.query("SELECT count(), sum(number) FROM n").first_row == (200_000, 199_999 * 100_000)


def test_parameters(client: Client) -> None:
    moment = datetime(2026, 11, 22, 10, 5, tzinfo=UTC)
    found = client.query(
        "SELECT {s:String}, {n:Nullable(Int8)}, {a:Array(String)}, toUnixTimestamp({t:DateTime('UTC')}), {i:Identifier}"
        " FROM (SELECT 1 AS `odd name`)",
        parameters={"s": "it's \\ \t \n ?", "n": None, "a": ["x'y", "\\"], "t": moment, "i": "odd name"},
    ).first_row
    assert found == ("it's \\ \t \n ?", None, ["x'y", "\\"], int(moment.timestamp()), 1)


def test_settings_hold_for_their_query_alone(server: Any, client: Client) -> None:
    asks = "SELECT getSetting('max_threads'), getSetting('max_result_rows')"
    plain = client.query(asks).first_row
    assert client.query(asks, settings={"max_threads": 1, "max_result_rows": 77}).first_row == (1, 77)
    assert client.query(asks).first_row == plain
    in_session = server.client(session_id="settings", autogenerate_session_id=True)
    in_session.command("SET max_result_rows = 88")
    assert in_session.query(asks, settings={"max_threads": 1, "max_result_rows": 77}).first_row == (1, 77)
    assert in_session.query(asks).first_row == (plain[0], 88)
    in_session.close()


def test_sessions(server: Any) -> None:
    with server.client(session_id="one") as one, server.client(session_id="two") as two:
        one.command("CREATE TEMPORARY TABLE mine (a Int8)")
        one.insert("mine", [[1]], column_names=["a"])
        assert one.command("SELECT count() FROM mine") == 1
        with pytest.raises(DatabaseError) as caught:
            two.query("SELECT count() FROM mine")
        assert caught.value.code == 60
    slow = threading.Thread(target=server.post, args=("SELECT sleep(1.5)",), kwargs={"session_id": "busy"})
    slow.start()
    deadline = time.monotonic() + 10
    while server.post("SELECT countIf(query LIKE '%sleep(1.5)%') FROM system.processes").text != "2\n":
        assert time.monotonic() < deadline, "the query did not start"
        time.sleep(0.02)
    assert server.post("SELECT 1", session_id="busy").headers["x-clickhouse-exception-code"] == "373"
    slow.join()
    assert server.post("SELECT 1", session_id="busy").text == "1\n"
    assert (
        server.post("SELECT 1", session_id="never", session_check="1").headers["x-clickhouse-exception-code"] == "372"
    )
    server.post("CREATE TEMPORARY TABLE gone (a Int8)", session_id="short", session_timeout="1")
    deadline = time.monotonic() + 10
    while server.post("SELECT 1", session_id="short", session_check="1", session_timeout="1").status_code == 200:
        assert time.monotonic() < deadline, "the session did not expire"
        time.sleep(2.2)  # asking keeps it alive


def test_external_data(client: Client) -> None:
    external = ExternalData(file_name="people.csv", data=b"1,Ann\n2,Bo\n", fmt="CSV", structure="id UInt8, name String")
    found = client.query("SELECT name FROM people WHERE id = {id:UInt8}", parameters={"id": 2}, external_data=external)
    assert found.first_row == ("Bo",)


@pytest.mark.parametrize(
    ("sql", "code", "status"),
    [
        ("SELECT nothing", 47, 404),
        ("SELECT * FROM no_such_table", 60, 404),
        ("SELEC 1", 62, 400),
        ("SELECT 1; SELECT 2", 62, 400),
        ("SELECT throwIf(1)", 395, 500),
        ("SELECT 1 FORMAT Nonsense", 73, 404),
        ("INSERT INTO no_such_table VALUES (1)", 60, 404),
        ("SELECT 1 INTO OUTFILE '/tmp/x'", 358, 500),
        ("SELECT file('/etc/passwd')", 497, 403),
        ("SELECT * FROM file('/etc/passwd', 'LineAsString')", 497, 403),
        ("SELECT * FROM default.`/etc/passwd`", 60, 404),
        ("SELECT * FROM filesystem('/etc')", 497, 403),
        ("SELECT * FROM remote('127.0.0.1', system.one)", 497, 403),
        ("CREATE USER someone", 497, 403),
    ],
)
def test_errors_have_clickhouse_codes(server: Any, sql: str, code: int, status: int) -> None:
    answer = server.post(sql)
    assert answer.status_code == status
    assert answer.headers["x-clickhouse-exception-code"] == str(code)
    assert answer.text.startswith(f"Code: {code}. DB::Exception: ")
    assert answer.text.endswith("(official build))\n")


def test_an_error_after_the_first_rows_is_told_in_the_body(server: Any, client: Client) -> None:
    sql = "SELECT throwIf(number = 3000000) FROM numbers(4000000) FORMAT TabSeparated"
    assert server.post(sql, wait_end_of_query="1").headers["x-clickhouse-exception-code"] == "395"
    with pytest.raises(Exception, match=r"395|throwIf|broken|incomplete|closed|prematurely"):
        for _ in client.raw_stream(sql):
            pass


@pytest.mark.usefixtures("database")
def test_the_reader_reads_only(server: Any, client: Client, reader: Client) -> None:
    make_table(client)
    reader.database = client.database
    assert reader.query("SELECT count() FROM t", settings={"max_threads": 1}).first_row == (0,)
    refused = [
        "INSERT INTO t SELECT 1, '', NULL, []",
        "INSERT INTO t VALUES (1, '', NULL, [])",
        "DROP TABLE t",
        "CREATE TABLE u (a Int8) ENGINE = Memory",
        "ALTER TABLE t DELETE WHERE 1",
        "TRUNCATE TABLE t",
        "SELECT * FROM s3('http://127.0.0.1:1/bucket/key', 'k', 's', 'CSV')",
        "INSERT INTO FUNCTION s3('http://127.0.0.1:1/bucket/key', 'k', 's', 'CSV') SELECT 1",
        "SET ROLE writer",
        "SYSTEM DROP MARK CACHE",
    ]
    for sql in refused:
        with pytest.raises(DatabaseError) as caught:
            reader.command(sql)
        assert caught.value.code in (164, 497), sql
    with pytest.raises(DatabaseError) as caught:
        reader.insert("t", ROWS, column_names=["a", "b", "c", "d"])
    assert caught.value.code in (164, 497)
    for session in ({}, {"session_id": "reader-0"}):
        answer = server.post("SELECT 1", reader=True, readonly="0", **session)
        assert answer.headers["x-clickhouse-exception-code"] == "164"
    with clickhouse_connect.get_client(
        dsn=str(reader.uri), username="reader", password="reader password", session_id="reader"
    ) as session:
        session.command("CREATE TEMPORARY TABLE mine (a Int8)")
        with pytest.raises(DatabaseError):
            session.command("SET readonly = 0")
    assert client.command("SELECT count() FROM t") == 0


def test_get_reads_only(server: Any) -> None:
    import httpx

    auth = ("clickpulse", server.settings.password.get_secret_value())
    assert httpx.get(server.url, params={"query": "SELECT 1"}, auth=auth).text == "1\n"
    answer = httpx.get(server.url, params={"query": "CREATE DATABASE by_get"}, auth=auth)
    assert answer.headers["x-clickhouse-exception-code"] == "164"


def test_wrong_passwords_are_refused(server: Any) -> None:
    import httpx

    for auth in (("clickpulse", "wrong"), ("nobody", ""), ("reader", "")):
        answer = httpx.post(server.url, content="SELECT 1", auth=auth)
        assert (answer.status_code, answer.headers["x-clickhouse-exception-code"]) == (403, "516")


ENCODINGS: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    "gzip": (gzip.compress, gzip.decompress),
    "deflate": (zlib.compress, zlib.decompress),
    "lz4": (lz4.frame.compress, lz4.frame.decompress),
    "zstd": (zstandard.compress, lambda body: zstandard.ZstdDecompressor().decompressobj().decompress(body)),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.usefixtures("database")
def test_compression_both_ways(server: Any, client: Client, encoding: str) -> None:
    import httpx

    compress, decompress = ENCODINGS[encoding]
    client.command("CREATE TABLE z (a UInt32) ENGINE = Memory")
    body = b"".join(compress("".join(f"{n}\n" for n in range(start, start + 20_000)).encode()) for start in (0, 20_000))
    auth = ("clickpulse", server.settings.password.get_secret_value())
    parameters = {"query": "INSERT INTO z FORMAT TSV", "database": client.database}
    httpx.post(
        server.url, params=parameters, content=body, headers={"Content-Encoding": encoding}, auth=auth
    ).raise_for_status()
    assert client.query("SELECT count(), sum(a) FROM z").first_row == (40_000, 39_999 * 20_000)
    query = {"query": "SELECT a FROM z ORDER BY a", "database": client.database}
    with httpx.stream("POST", server.url, params=query, headers={"Accept-Encoding": encoding}, auth=auth) as answer:
        assert answer.headers["content-encoding"] == encoding
        raw = b"".join(answer.iter_raw())
    assert len(raw) < 200_000
    assert decompress(raw) == "".join(f"{n}\n" for n in range(40_000)).encode()


@pytest.mark.parametrize("compress", ["lz4", "zstd", "gzip", False])
@pytest.mark.usefixtures("database")
def test_clickhouse_connect_with_each_compression(server: Any, client: Client, compress: str | bool) -> None:
    client.command("CREATE TABLE z (a UInt32) ENGINE = Memory")
    with server.client(compress=compress, database=client.database) as other:
        other.insert("z", [[n] for n in range(1000)], column_names=["a"])
        assert other.query("SELECT sum(a) FROM z").first_row == (499_500,)


def test_clickhouse_blocks_over_http(server: Any, client: Client, database: str) -> None:
    client.command("CREATE TABLE z (a UInt32) ENGINE = MergeTree ORDER BY a SETTINGS min_bytes_for_wide_part = 0")
    body = BlockEncoder().update("".join(f"{n}\n" for n in range(300_000)).encode())
    answer = server.post(body, query="INSERT INTO z FORMAT TSV", database=database, decompress="1")
    assert answer.status_code == 200, answer.text
    assert client.query("SELECT count(), sum(a) FROM z").first_row == (300_000, 299_999 * 150_000)
    answer = server.post("SELECT a FROM z ORDER BY a FORMAT RowBinary", database=database, compress="1")
    numbers = struct.unpack("<300000I", BlockDecoder().update(answer.content))
    assert numbers == tuple(range(300_000))
    # The engine's own files are made of the same blocks.
    table = client.command("SELECT uuid FROM system.tables WHERE name = 'z' AND database = currentDatabase()")
    (file,) = (server.folder / "data/engine/store").glob(f"*/{table}/all*/a.bin")
    assert BlockDecoder().update(file.read_bytes()) == struct.pack("<300000I", *numbers)


def running(server: Any, mark: str) -> int:
    # This query has the mark in its own text, where the engine puts the parameter's value.
    sql = "SELECT countIf(query LIKE '%sipHash%' AND position(query, {mark:String}) > 0) - 1 FROM system.processes"
    return int(server.post(sql, param_mark=mark).text)


@pytest.mark.parametrize("fmt", ["TabSeparated", "JSON"])
def test_a_query_ends_when_its_client_leaves(server: Any, fmt: str) -> None:
    import base64

    mark = f"left_{fmt}"
    sql = f"SELECT count() AS {mark} FROM system.numbers WHERE sipHash64(number) % 3 = 5 FORMAT {fmt}"  # noqa: S608
    token = base64.b64encode(f"clickpulse:{server.settings.password.get_secret_value()}".encode()).decode()
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        head = f"POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {token}\r\nContent-Length: {len(sql)}\r\n\r\n"
        connection.sendall((head + sql).encode())
        deadline = time.monotonic() + 10
        while not running(server, mark):
            assert time.monotonic() < deadline, "the query did not start"
            time.sleep(0.02)
    deadline = time.monotonic() + 5
    while running(server, mark):
        assert time.monotonic() < deadline, "the query goes on without its client"
        time.sleep(0.02)


@pytest.mark.usefixtures("database")
def test_half_an_insert_stores_nothing(server: Any, client: Client) -> None:
    import base64

    client.command("CREATE TABLE half (a UInt32) ENGINE = MergeTree ORDER BY a")
    token = base64.b64encode(f"clickpulse:{server.settings.password.get_secret_value()}".encode()).decode()
    head = (
        f"POST /?query=INSERT+INTO+{client.database}.half+FORMAT+TSV HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Basic {token}\r\nContent-Length: 1000000\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(head.encode() + b"1\n2\n3\n")
    deadline = time.monotonic() + 10
    while '"status": 499' not in server.log.read_text():
        assert time.monotonic() < deadline, "the server did not notice"
        time.sleep(0.05)
    assert client.command("SELECT count() FROM half") == 0


def test_the_log_tells_what_ran_but_no_values(server: Any) -> None:
    answer = server.post(
        "SELECT 'a very secret value', {p:String}", param_p="another secret", query_id="my-own-id", max_threads="1"
    )
    assert answer.headers["x-clickhouse-query-id"] == "my-own-id"
    server.post("SELECT * FROM s3('http://127.0.0.1:1/bucket/key.csv', 'access-k', 'hidden-key', 'CSV')")
    log = server.log.read_text()
    entry = next(json.loads(line) for line in log.splitlines() if "my-own-id" in line)
    assert (entry["event"], entry["kind"], entry["user"], entry["status"]) == ("query", "SELECT", "clickpulse", 200)
    assert entry["ms"] > 0
    for secret in ("secret value", "another secret", "hidden-key", "access-k", "password"):
        assert secret not in log


def test_other_paths(server: Any) -> None:
    import httpx

    assert httpx.get(f"{server.url}replicas_status").text == "Ok.\n"
    assert httpx.get(server.url).text == "Ok.\n"
    assert httpx.get(f"{server.url}nothing").status_code == 404
