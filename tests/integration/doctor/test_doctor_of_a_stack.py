"""`clickpulse doctor` on a running stack: its figures are those that the services give when asked another way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from clickpulse.clients import clickhouse_client, kafka_consumer, report_reader
from clickpulse.settings import PROJECT_ROOT, ClickHouseSettings, KafkaSettings, ReportReaderSettings
from local.postgres import PostgresSettings
from local.settings import LocalSettings
from tests.support import external, run_clickpulse

pytestmark = pytest.mark.skipif(external(), reason="the doctor looks at the disks of the local profile")


def doctor(*arguments: str, **variables: str) -> tuple[int, dict[str, Any]]:
    """The exit status, and what is told."""
    done = subprocess.run(
        [sys.executable, "-m", "clickpulse", "doctor", "--json", *arguments],
        cwd=PROJECT_ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def messages() -> int:
    """In the events' topic, by a consumer's watermarks."""
    settings = KafkaSettings.load_for("viewer")
    consumer = kafka_consumer(settings, group_id="doctor-test")
    try:
        from confluent_kafka import TopicPartition

        marks = [
            consumer.get_watermark_offsets(TopicPartition(settings.topic, number), timeout=10)
            for number in range(settings.partitions)
        ]
    finally:
        consumer.close()
    return sum(high - low for low, high in marks)


def rows() -> int:
    client = clickhouse_client(ClickHouseSettings.load(), reader=True)
    try:
        return int(client.query("SELECT count() FROM events").result_rows[0][0])
    finally:
        client.close()


def objects(home: Path) -> int:
    folder = home / "data" / "s3" / "objects"
    return sum(path.is_file() for kind in ("minutes", "reports") for path in folder.glob(f"*/{kind}/**/rev=*/*"))


def revisions() -> int:
    with report_reader(ReportReaderSettings.load()) as client:
        found, cursor = 0, None
        while True:
            asked = {"limit": 500, "all_revisions": True} | ({"cursor": cursor} if cursor else {})
            page = client.get("/api/v1/reports", params=asked).json()
            found += len(page["items"])
            if (cursor := page["next_cursor"]) is None:
                return found


def runs() -> int:
    url = PostgresSettings.load().url(LocalSettings.load().postgres_port, "airflow")
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM dag_run")
        (found,) = cursor.fetchone() or (0,)
    return int(found)


def test_its_figures_are_those_of_the_services(stack: Path) -> None:
    """Something may come while it looks, so each lies between the figures from before and after."""
    run_clickpulse("simulate", "--rate=200", "--duration=3", "--flat", "--quiet")
    ask: dict[tuple[str, str], Callable[[], int]] = {
        ("kafka", "user-interactions"): messages,
        ("clickhouse", "events"): rows,
        ("reports", "revisions"): revisions,
        ("airflow", "metadata"): runs,
    }
    before = {key: question() for key, question in ask.items()}
    stored = objects(stack)

    status, found = doctor()

    parts = found["parts"]
    held = {
        (name, one["name"]): one for name, part in parts.items() for one in part["holdings"] if one["count"] is not None
    }
    for key, question in ask.items():
        assert before[key] <= held[key]["count"] <= question(), key
    assert stored <= sum(one["count"] for (part, _), one in held.items() if part == "s3") <= objects(stack)
    topic = held["kafka", "user-interactions"]
    logs = (stack / "data" / "kafka").glob("user-interactions-[0-9]/*.log")
    assert 0 < topic["bytes"] <= sum(log.stat().st_size for log in logs)
    assert topic["oldest"] <= topic["newest"] <= found["checked_at"]
    assert held["airflow", "metadata"]["bytes"] > 1_000_000
    assert {name for name, part in parts.items() if not part["answers"]} == set()
    assert status == (0 if found["ok"] else 1)
    assert parts["disk"]["holdings"][0]["bytes"] > 0


def test_a_part_that_is_away_is_told_of_and_the_others_go_on(stack: Path) -> None:
    assert stack
    status, found = doctor(REPORT_API_URL="http://127.0.0.1:1", S3_SECRET_KEY="wrong")

    assert status == 1
    assert {name for name, part in found["parts"].items() if not part["answers"]} == {"reports", "s3"}
    assert {one["part"] for one in found["findings"]} >= {"reports", "s3"}
    assert found["parts"]["kafka"]["holdings"]


def test_a_full_disk_and_a_short_topic_need_a_hand(stack: Path) -> None:
    assert stack
    status, found = doctor(
        DOCTOR_MIN_FREE_MB="1000000000", DOCTOR_AIRFLOW_DATABASE_MB="1", CLICKHOUSE_EVENT_TTL_DAYS="29"
    )

    assert status == 1
    told = {one["part"]: one for one in found["findings"]}
    assert "DOCTOR_MIN_FREE_MB" in told["disk"]["what"]
    assert "--clean-airflow" in told["airflow"]["remedy"]
    assert "CLICKHOUSE_EVENT_TTL_DAYS is 29" in told["clickhouse"]["what"]


def test_airflows_old_runs_are_cleaned(stack: Path) -> None:
    assert stack
    before = runs()

    doctor("--clean-airflow=365")

    assert runs() >= before
