"""Replays into a real Kafka: every row that fits is there once, the others are told, too large ones dead-lettered."""

import csv
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

DATA = Path(__file__).parents[2] / "data"
SMALL, SMALL_MAPPING = DATA / "clickstream_small.csv", DATA / "mappings" / "clickstream_small.yaml"
ACTIONS = {"search": "SEARCH", "view": "VIEW_PRODUCT", "cart": "ADD_TO_CART", "checkout": "CHECKOUT", "pay": "PAYMENT"}
WRONG_LINES = [22, 79, 135, 182, 224, 262]
BASE = datetime(2026, 3, 1, 12, tzinfo=UTC)


def right_rows() -> list[dict[str, str]]:
    """The rows of the small file without the six that are wrong on purpose, read without the code under test."""
    with SMALL.open() as file:
        return [row for line, row in enumerate(csv.DictReader(file), start=2) if line not in WRONG_LINES]


def test_a_files_totals_are_those_in_kafka(own_topics, tmp_path):
    rejects = tmp_path / "rejects.jsonl"
    account = own_topics.account(
        *("replay", SMALL, "--mapping", SMALL_MAPPING, "--at", "original", "--speed", "max", "--rejects", rejects)
    )
    rows, events = right_rows(), [message.event for message in own_topics.events()]
    expected = Counter(ACTIONS[row["action"]] for row in rows)
    assert Counter(event["event_type"] for event in events) == expected == account["by_event_type"]
    times = Counter(BASE + timedelta(milliseconds=round(float(row["seconds"]) * 1000)) for row in rows)
    assert Counter(event["event_timestamp"] for event in events) == times
    errors = Counter(int(row["http_status"]) for row in rows if row["http_status"] != "200")
    assert Counter(event["error_code"] for event in events if event["error_code"]) == errors
    assert len({event["user_id"] for event in events}) == len({row["visitor"] for row in rows})
    assert account["rows_read"] == 300
    assert account["rejected"] == 6
    assert [json.loads(line)["line"] for line in rejects.read_text().splitlines()] == WRONG_LINES


def test_a_repeated_replay_has_the_same_ids(own_topics):
    arguments = ("replay", SMALL, "--mapping", SMALL_MAPPING, "--speed", "max", "--at")
    for at in ("original", "original", "2026-03-02T00:00Z"):
        own_topics.account(*arguments, at)
    ids = Counter(message.event["event_id"] for message in own_topics.events())
    assert sorted(Counter(ids.values()).items()) == [(1, 294), (2, 294)]


def test_at_now_events_are_never_in_the_future(own_topics):
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    own_topics.account("replay", SMALL, "--mapping", SMALL_MAPPING, "--speed", "100")
    after = datetime.now(UTC)
    times = [message.event["event_timestamp"] for message in own_topics.events()]
    assert before <= min(times) <= max(times) <= after
    assert timedelta(seconds=2) < max(times) - min(times) < timedelta(seconds=6)  # 294 s of recording


def test_a_bad_file_and_a_person_reading(own_topics, tmp_path):
    (tmp_path / "broken.parquet").write_bytes(b"not parquet")
    (tmp_path / "good.csv").write_bytes(SMALL.read_bytes())
    status, output, errors = own_topics.run("replay", tmp_path, "--mapping", SMALL_MAPPING, "--speed", "max")
    assert status == 1
    assert f"{tmp_path}/broken.parquet" in errors
    assert "6 rows were rejected" in errors
    assert "wishlist" in errors
    assert "294" in output
    assert len(own_topics.events()) == 294


def test_too_large_an_event_is_dead_lettered_and_the_rest_arrives(own_topics, tmp_path):
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text("""
name: large
fields:
  user_id: {uuid5: [user]}
  session_id: {uuid5: [user]}
  event_type: {constant: VIEW_PRODUCT}
  event_timestamp: {column: at, unit: iso}
  request_latency_ms: {constant: 10}
  status: {constant: SUCCESS}
  product_id: {column: product}
""")
    large = "p" * 2_000_000
    rows = [
        {"user": str(number), "at": f"2026-03-01T12:00:0{number}Z", "product": large if number == 1 else "small"}
        for number in range(3)
    ]
    (tmp_path / "clicks.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    account = own_topics.account(
        *("replay", tmp_path / "clicks.jsonl", "--mapping", mapping, "--at", "original", "--speed", "max")
    )
    assert (account["generated"], account["acknowledged"], account["dead_lettered"]) == (3, 2, 1)
    assert [message.event["product_id"] for message in own_topics.events()] == ["small", "small"]
    (letter,) = own_topics.dead_letters()
    assert large.encode() in letter.value
    assert letter.value[0] == 0
    assert letter.timestamp_ms == int(datetime(2026, 3, 1, 12, 0, 1, tzinfo=UTC).timestamp() * 1000)
    assert letter.headers["dlq.topic"] == own_topics.kafka.topic
    assert letter.headers["dlq.component"] == "producer"
    assert letter.headers["dlq.error_class"] == "message-too-large"
    assert "1000000" in letter.headers["dlq.reason"]
    assert abs(datetime.now(UTC) - datetime.fromisoformat(letter.headers["dlq.timestamp"])) < timedelta(minutes=1)


def test_the_real_file(own_topics, shared_data):
    path = shared_data / "articles" / "clicks_hour_000.csv"
    with path.open() as file:
        rows = list(csv.DictReader(file))
    account = own_topics.account(
        *("replay", path, "--mapping", DATA / "mappings" / "articles_clicks.yaml", "--at", "original", "--speed", "max")
    )
    events = [message.event for message in own_topics.events()]
    assert account["acknowledged"] == len(rows)
    assert Counter(event["product_id"] for event in events) == Counter(row["click_article_id"] for row in rows)
    minutes = Counter(
        datetime.fromtimestamp(int(row["click_timestamp"]) / 1000, UTC).strftime("%FT%RZ") for row in rows
    )
    assert account["acknowledged_per_minute"] == minutes
