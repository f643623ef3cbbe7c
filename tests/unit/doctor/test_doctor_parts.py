"""What each part makes of its figures."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clickpulse.doctor import airflow, disk, kafka
from clickpulse.doctor.clickhouse import time_to_live
from clickpulse.doctor.kafka import TopicFigures
from clickpulse.doctor.model import Holding, days, size
from clickpulse.doctor.settings import DoctorSettings

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NEEDED = timedelta(minutes=1500)
GIB = 1024**3
LIMITS = DoctorSettings()


def events(hours: float, **members: object) -> TopicFigures:
    """Six partitions with 1.2 million messages of 100 bytes since so many hours, half of them of the last day."""
    figures = {
        "name": "events",
        "partitions": 6,
        "messages": 1_200_000,
        "last_day": 600_000,
        "shortened": False,
        "oldest_ms": int((NOW - timedelta(hours=hours)).timestamp() * 1000),
        "newest_ms": int(NOW.timestamp() * 1000),
        "retention_bytes": 2 * GIB,
        "bytes": 120_000_000,
    } | members
    return TopicFigures(**figures)  # type: ignore[arg-type]


def test_a_topic_with_room_needs_no_hand_and_says_how_long_it_lasts() -> None:
    part = kafka.part([events(48)], "events", NEEDED, NOW)

    (holding,) = part.holdings
    assert part.findings == []
    assert part.bytes_last_day == 60_000_000
    assert (holding.count, holding.bytes, holding.oldest) == (1_200_000, 120_000_000, NOW - timedelta(hours=48))
    assert holding.kept == f"2 GiB a partition, {6 * 2 * GIB / 60_000_000:.1f} days at the last day's rate"


def test_a_topic_that_lost_events_too_early_needs_a_hand() -> None:
    for hours, wanted in ((24, True), (26, False)):
        part = kafka.part([events(hours, shortened=True)], "events", NEEDED, NOW)
        assert bool(part.findings) is wanted
    assert part.bytes_last_day == 0
    (finding,) = kafka.part([events(24, shortened=True)], "events", NEEDED, NOW).findings
    assert finding.action
    assert "holds 1 day of events, and 1 day" in finding.what
    assert "KAFKA_RETENTION_BYTES" in finding.remedy


def test_a_limit_that_the_rate_will_reach_too_early_is_told_before() -> None:
    part = kafka.part([events(48, retention_bytes=8_000_000)], "events", NEEDED, NOW)

    assert [one.what for one in part.findings] == ["events has room for 0.8 days of events, and 1 day are needed"]


def test_other_topics_and_unknown_sizes_are_no_finding() -> None:
    letters = events(1, name="letters", shortened=True)
    remote = events(48, bytes=None)

    part = kafka.part([letters, remote], "events", NEEDED, NOW)

    assert part.findings == []
    assert part.bytes_last_day is None
    assert kafka.part([events(1, messages=0, last_day=0, bytes=0)], "events", NEEDED, NOW).findings == []


@pytest.mark.parametrize(
    ("engine", "found"),
    [
        (
            "MergeTree ORDER BY x TTL toDateTime(arrived_at) + toIntervalDay(30) SETTINGS ttl_only_drop_parts = 1",
            ("arrived_at", 30),
        ),
        (
            "MergeTree ORDER BY x TTL toDateTime(arrived_at) + toIntervalDay(_CAST(30, 'UInt16')) SETTINGS x = 1",
            ("arrived_at", 30),
        ),
        ("ReplacingMergeTree(noted_at) ORDER BY minute TTL noted_at + toIntervalDay(7)", ("noted_at", 7)),
        ("MergeTree ORDER BY scanned_to SETTINGS index_granularity = 8192", (None, None)),
    ],
)
def test_the_time_to_live_is_read_from_a_tables_engine(engine: str, found: tuple[str | None, int | None]) -> None:
    assert time_to_live(engine) == found


def test_a_disk_is_looked_at_where_the_home_will_be(tmp_path: Path) -> None:
    free = os.statvfs(tmp_path)

    part = disk.examine(tmp_path / "not" / "there", {}, DoctorSettings(min_free_mb=0))

    (holding,) = part.holdings
    assert holding.bytes == pytest.approx(free.f_bavail * free.f_frsize, rel=0.2)
    assert holding.kept == "not growing"
    assert part.findings == []


def test_a_disk_that_fills_up_or_is_full_needs_a_hand(tmp_path: Path) -> None:
    free = disk.examine(tmp_path, {}, LIMITS).holdings[0].bytes or 0

    soon = disk.examine(
        tmp_path, {"s3": free // 4, "kafka": free // 40, "airflow": None}, DoctorSettings(min_free_mb=0)
    )
    later = disk.examine(tmp_path, {"s3": free // 40}, DoctorSettings(min_free_mb=0))
    full = disk.examine(tmp_path, {}, DoctorSettings(min_free_mb=free // 1024**2 * 2))

    assert [one.action for one in soon.findings] == [True]
    assert "is full in 3.6 days at the growth of the last day, most of it s3" in soon.findings[0].what
    assert soon.holdings[0].kept.endswith("without airflow")
    assert later.findings == []
    assert "less than DOCTOR_MIN_FREE_MB" in full.findings[0].what


def test_logs_are_counted_by_what_is_in_the_folder(tmp_path: Path) -> None:
    for number, days_ago in enumerate((0.1, 0.5, 3)):
        file = tmp_path / f"dag_id=x/run_id={number}/attempt=1.log"
        file.parent.mkdir(parents=True)
        file.write_text("x" * 100 * (number + 1))
        moment = (NOW - timedelta(days=days_ago)).timestamp()
        os.utime(file, (moment, moment))
    (tmp_path / "latest").symlink_to(tmp_path / "dag_id=x")

    holding, grown = airflow._logs(tmp_path, NOW, 14)

    assert (holding.count, holding.bytes, grown) == (3, 600, 300)
    assert holding.oldest == NOW - timedelta(days=3)
    assert airflow._logs(tmp_path / "missing", NOW, 14)[0] == Holding(
        "logs", "files", 0, 0, None, None, "14 days after a run's last line"
    )


@pytest.mark.parametrize(
    ("given", "shown"), [(None, ""), (0, "0 B"), (1023, "1023 B"), (1536, "1.5 kB"), (5 * GIB, "5.0 GB")]
)
def test_sizes_in_units_that_people_read(given: int | None, shown: str) -> None:
    assert size(given) == shown


@pytest.mark.parametrize(
    ("given", "shown"), [(1, "1 day"), (1.04, "1 day"), (1.5, "1.5 days"), (30, "30 days"), (55_000, "over 1000 days")]
)
def test_days_in_words(given: float, shown: str) -> None:
    assert days(given) == shown
