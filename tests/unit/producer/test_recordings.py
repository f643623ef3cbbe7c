"""Files: found, read in every format, merged in order of time; rejects by file, line and reason."""

import csv
import gzip
import json
import os
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickpulse.errors import ConfigurationError
from clickpulse.future import FutureLimit
from producer.files import find_files, short_names
from producer.mapping import Mapping, load_mapping
from producer.recording import RecordedRow, Recording
from producer.rejects import Rejects
from producer.row_mapper import Mapped
from producer.sorting import Sorter

DATA = Path(__file__).parents[2] / "data"
SMALL = DATA / "clickstream_small.csv"

MAPPING = Mapping.model_validate(
    {
        "name": "test",
        "fields": {
            "user_id": {"uuid5": ["user"]},
            "session_id": {"uuid5": ["user"]},
            "event_type": {"constant": "SEARCH"},
            "event_timestamp": {"column": "at", "unit": "ms"},
            "request_latency_ms": {"constant": 100},
            "status": {"constant": "SUCCESS"},
        },
    }
)
ROWS = [{"user": "a", "at": 1000}, {"user": "b", "at": 2000}, {"user": "c", "at": 3000}]


def write_csv(path, rows, opener=open):
    with opener(path, "wt", newline="") as file:
        writer = csv.DictWriter(file, ["user", "other", "at"])
        writer.writeheader()
        writer.writerows(rows)


def write_json(path, rows, opener=open):
    with opener(path, "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def write_any(path, rows):
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
        return
    write = write_csv if ".csv" in path.name else write_json
    write(path, rows, gzip.open if path.suffix == ".gz" else open)


def read(paths, tmp_path, *, mapping=MAPPING, in_order=False, **options):
    rejects_path = tmp_path / "rejects.out"
    with Rejects(rejects_path) as rejects:
        recording = Recording(paths, mapping, rejects, **options)
        rows = list(recording.rows_in_order() if in_order else recording.rows())
    told = [json.loads(line) for line in rejects_path.read_text().splitlines()]
    assert rejects.count == len(told)
    assert recording.rows_read == len(rows) + len(told)
    return rows, told, recording


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".jsonl", ".ndjson", ".jsonl.gz", ".parquet"])
def test_every_format_gives_the_same_rows(tmp_path, suffix):
    path = tmp_path / f"clicks{suffix}"
    write_any(path, ROWS)
    rows, told, recording = read([path], tmp_path)
    assert [row.time_ms for row in rows] == [1000, 2000, 3000]
    assert len({row.mapped.user_id for row in rows}) == 3
    first = 2 if ".csv" in suffix else 1
    assert [row.line for row in rows] == [first, first + 1, first + 2]
    assert (told, recording.bad_files) == ([], [])


def test_parquet_times_with_and_without_zone(tmp_path):
    path = tmp_path / "clicks.parquet"
    moment = datetime(2026, 7, 1, 12, tzinfo=UTC)
    table = pa.table({"user": ["a"], "at": pa.array([moment], pa.timestamp("ns", "UTC"))})
    pq.write_table(table, path)
    fields = MAPPING.fields.model_dump(exclude_none=True) | {"event_timestamp": {"column": "at", "unit": "iso"}}
    fields |= {name: {"uuid5": ["user"]} for name in ("user_id", "session_id")}
    rows, told, _ = read([path], tmp_path, mapping=Mapping.model_validate({"name": "test", "fields": fields}))
    assert told == []
    assert [row.time_ms for row in rows] == [int(moment.timestamp() * 1000)]


def test_bad_lines_are_told_by_number_and_do_not_stop_the_rest(tmp_path):
    lines = [b"user,at", b"a,1000", b"b", b'"c', b'd",3000', b"e,4000,5", b"", b"f,x", b"\xff,5000", b"g,6000"]
    (tmp_path / "clicks.csv").write_bytes(b"\n".join(lines))
    rows, told, _ = read([tmp_path / "clicks.csv"], tmp_path)
    assert [(row.line, row.time_ms) for row in rows] == [(2, 1000), (4, 3000), (10, 6000)]
    assert [(reject["line"], reject["file"]) for reject in told] == [(n, "clicks.csv") for n in (3, 6, 8, 9)]
    reasons = [reject["reason"] for reject in told]
    assert "1 fields, the header 2" in reasons[0]
    assert "3 fields" in reasons[1]
    assert "'x'" in reasons[2]
    assert "not valid text" in reasons[3]


def test_bad_json_lines(tmp_path):
    (tmp_path / "clicks.jsonl").write_text(
        '{"user": "a", "at": 1}\n{"user": \n\n[1]\n{"at": 2}\n{"user": "b", "at": 3}\n'
    )
    rows, told, _ = read([tmp_path / "clicks.jsonl"], tmp_path)
    assert [row.line for row in rows] == [1, 6]
    assert [reject["line"] for reject in told] == [2, 4, 5]


def test_members_of_members(tmp_path):
    fields = MAPPING.model_dump(exclude_none=True)["fields"]
    fields["event_timestamp"] = {"column": "meta.at", "unit": "ms"}
    write_json(tmp_path / "clicks.jsonl", [{"user": "a", "meta": {"at": 7}}, {"user": "a", "meta": 3}])
    mapping = Mapping.model_validate({"name": "test", "fields": fields})
    rows, told, _ = read([tmp_path / "clicks.jsonl"], tmp_path, mapping=mapping)
    assert [row.time_ms for row in rows] == [7]
    assert "meta.at" in told[0]["reason"]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("clicks.csv", b"user,when\na,1\n", "no column 'at'; it has user, when"),
        ("clicks.csv", b"", "is empty"),
        ("clicks.csv.gz", b"not gzip", "can't be read at its beginning"),
        ("clicks.parquet", b"not parquet", "can't be read at its beginning"),
        ("clicks.xml", b"<a/>", "known format"),
    ],
)
def test_a_bad_file_is_told_and_the_others_go_on(tmp_path, name, content, told):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / name).write_bytes(content)
    write_any(folder / "good.csv", ROWS)
    rows, rejected, recording = read([folder / name, folder / "good.csv"], tmp_path)
    assert len(rows) == 3
    assert rejected == []
    (bad,) = recording.bad_files
    assert bad["file"] == name
    assert told in bad["problem"]
    assert str(folder / name) in bad["problem"]


def test_the_rows_before_the_damage_are_kept(tmp_path):
    path = tmp_path / "clicks.csv.gz"
    rows = [{"user": os.urandom(20).hex(), "at": number} for number in range(20_000)]
    write_any(path, rows)
    path.write_bytes(path.read_bytes()[:-1000])
    kept, _, recording = read([path], tmp_path)
    assert 0 < len(kept) < 20_000
    assert f"after line {kept[-1].line}" in recording.bad_files[0]["problem"]


def test_merged_in_order_of_time(tmp_path):
    for number in range(3):
        write_any(tmp_path / f"{number}.csv", [{"user": "a", "at": at} for at in range(number, 3000, 3)])
    rows, told, _ = read(sorted(tmp_path.glob("*.csv")), tmp_path, in_order=True)
    assert [row.time_ms for row in rows] == list(range(3000))
    assert told == []


def test_going_back_in_a_file_that_is_said_to_be_sorted(tmp_path):
    write_any(tmp_path / "clicks.csv", [{"user": "a", "at": at} for at in (1000, 5000, 3000, 6000)])
    rows, told, _ = read([tmp_path / "clicks.csv"], tmp_path, in_order=True)
    assert [row.time_ms for row in rows] == [1000, 5000, 6000]
    assert [(reject["line"], "goes back by 2 s" in reject["reason"]) for reject in told] == [(4, True)]


def test_the_future_is_refused(tmp_path):
    write_any(tmp_path / "clicks.csv", ROWS)
    rows, told, _ = read([tmp_path / "clicks.csv"], tmp_path, future=FutureLimit(1, lambda: 1000))
    assert [row.time_ms for row in rows] == [1000, 2000]
    assert "ahead of the clock" in told[0]["reason"]


@given(times=st.lists(st.integers(0, 50), max_size=200), max_rows=st.integers(1, 40))
def test_sorting_with_little_memory_gives_every_row_once_in_order(times, max_rows):
    mapped = Mapped(0, "u", "s", "SEARCH", 1, "SUCCESS", None, None)
    rows = [RecordedRow(time, line % 3, line, mapped) for line, time in enumerate(times)]
    with Sorter(max_rows=max_rows) as sorter:
        for row in rows:
            sorter.add(row)
        assert list(sorter.sorted()) == sorted(rows)
        assert sorter.count == len(rows)


def test_files_folders_globs_and_prefixes(tmp_path):
    for name in ("a/clicks_1.csv", "a/clicks_2.csv.gz", "a/notes.txt", "b/deep/clicks_3.parquet"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    def found(*patterns):
        return [path.relative_to(tmp_path).as_posix() for path in find_files([f"{tmp_path}/{p}" for p in patterns])]

    assert found("a/clicks_1.csv") == ["a/clicks_1.csv"]
    assert found("a") == ["a/clicks_1.csv", "a/clicks_2.csv.gz"]
    assert found("a/") == ["a/clicks_1.csv", "a/clicks_2.csv.gz"]
    assert found("") == ["a/clicks_1.csv", "a/clicks_2.csv.gz", "b/deep/clicks_3.parquet"]
    assert found("**/*.parquet") == ["b/deep/clicks_3.parquet"]
    assert found("a/*.txt") == ["a/notes.txt"]
    assert found("a/clicks_") == ["a/clicks_1.csv", "a/clicks_2.csv.gz"]
    assert found("a/*", "a/clicks_1.csv") == ["a/clicks_1.csv", "a/clicks_2.csv.gz", "a/notes.txt"]
    with pytest.raises(ConfigurationError, match="nowhere"):
        find_files([f"{tmp_path}/nowhere"])


def test_short_names_tell_files_apart():
    assert short_names([Path("/x/a.csv")]) == ["a.csv"]
    assert short_names([Path("/x/1/a.csv"), Path("/x/2/a.csv")]) == ["1/a.csv", "2/a.csv"]


def test_the_small_file(tmp_path):
    """Counted from the file without any of the code under test."""
    with SMALL.open() as file:
        lines = list(csv.reader(file))[1:]
    fields = {
        "search": "SEARCH",
        "view": "VIEW_PRODUCT",
        "cart": "ADD_TO_CART",
        "checkout": "CHECKOUT",
        "pay": "PAYMENT",
    }
    wrong = {line for line, row in enumerate(lines, start=2) if not is_right(row, fields)}
    rows, told, _ = read([SMALL], tmp_path, mapping=load_mapping(DATA / "mappings" / "clickstream_small.yaml"))
    assert {reject["line"] for reject in told} == wrong
    assert len(wrong) == 6
    for row in rows:
        seconds, _visitor, _visit, action, item, http, duration = lines[row.line - 2]
        assert row.time_ms == 1_772_366_400_000 + round(float(seconds) * 1000)
        assert row.mapped.event_type == fields[action]
        assert row.mapped.error_code == (None if http == "200" else int(http))
        assert row.mapped.product_id == (item if action in {"view", "cart"} else None)
        assert row.mapped.request_latency_ms == round(float(duration) * 1000)
    assert any(after.time_ms < before.time_ms for before, after in pairwise(rows))


def is_right(row, actions) -> bool:
    if len(row) != 7:
        return False
    seconds, visitor, visit, action, _item, http, duration = row
    number = seconds.replace(".", "", 1).isdigit() and duration.replace(".", "", 1).isdigit()
    return bool(number and visitor and visit and action in actions and (http == "200" or 400 <= int(http) <= 599))


def test_the_real_file(tmp_path, shared_data):
    path = shared_data / "articles" / "clicks_hour_000.csv"
    with path.open() as file:
        expected = sorted((int(row["click_timestamp"]), row["click_article_id"]) for row in csv.DictReader(file))
    rows, told, _ = read([path], tmp_path, mapping=load_mapping(DATA / "mappings" / "articles_clicks.yaml"))
    assert told == []
    assert sorted((row.time_ms, row.mapped.product_id) for row in rows) == expected
    assert {row.mapped.event_type for row in rows} == {"VIEW_PRODUCT"}
