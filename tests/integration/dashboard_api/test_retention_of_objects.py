"""The run that expires: a real S3 gateway, the report API and its Postgres, and logs in a folder.

What is left is looked up in the gateway's folder and in the table, not asked of what is tested.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg2
import pytest

from clickpulse.clients import s3_client
from clickpulse.doctor import bucket as bucket_part
from clickpulse.doctor import reports as reports_part
from clickpulse.errors import ConfigurationError, TransientError
from clickpulse.objects import WindowObjects
from clickpulse.retention.bucket import Bucket
from clickpulse.retention.settings import RetentionSettings
from clickpulse.retention.step import expire_everything
from clickpulse.settings import S3Settings
from clickpulse.windows import MinuteWindow
from local import s3gateway
from tests.support import free_port, wait_for

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


class Gateway:
    """versitygw over a folder; objects can be made older than they are."""

    def __init__(self, folder: Path) -> None:
        self.objects = folder / "objects"
        self.objects.mkdir()
        self._port = free_port()
        self.settings = S3Settings(
            endpoint=f"http://127.0.0.1:{self._port}", bucket="kept", access_key="retention", secret_key="retention-key"
        )
        self.start()
        s3_client(self.settings).make_bucket(self.settings.bucket)

    def start(self) -> None:
        command = [str(s3gateway.binary()), "--port", f"127.0.0.1:{self._port}", "--quiet", "posix", str(self.objects)]
        secret = self.settings.secret_key.get_secret_value()
        environment = {"ROOT_ACCESS_KEY": self.settings.access_key, "ROOT_SECRET_KEY": secret}
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        wait_for(self._answers, seconds=20, what="the S3 gateway")

    def _answers(self) -> bool:
        with suppress(httpx.TransportError):
            return httpx.get(str(self.settings.endpoint)).status_code == 403
        return False

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)

    def put(self, key: str, content: bytes, days_ago: float) -> None:
        s3_client(self.settings).put_object(self.settings.bucket, key, io.BytesIO(content), len(content))
        moment = (NOW - days_ago * DAY).timestamp()
        os.utime(self.objects / self.settings.bucket / key, (moment, moment))

    def keys(self) -> set[str]:
        top = self.objects / self.settings.bucket
        return {str(path.relative_to(top)) for path in top.rglob("*") if path.is_file()}

    def empty_folders(self) -> list[Path]:
        top = self.objects / self.settings.bucket
        ours = [path for path in top.rglob("*") if path.is_dir() and path.name != ".sgwtmp"]
        return [path for path in ours if not any(path.iterdir())]


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    s3gateway.build()
    made = Gateway(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def installation(api: Any, gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings name the gateway and the API; gives the folder of the logs."""
    variables = api.environment | {
        "CLICKPULSE_HOME": str(tmp_path / "home"),
        "S3_ENDPOINT": str(gateway.settings.endpoint),
        "S3_BUCKET": gateway.settings.bucket,
        "S3_ACCESS_KEY": gateway.settings.access_key,
        "S3_SECRET_KEY": gateway.settings.secret_key.get_secret_value(),
        "CLICKHOUSE_PASSWORD": "not asked",
        "CLICKHOUSE_READER_PASSWORD": "not asked",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return tmp_path / "logs"


class Kept:
    """Makes revisions in S3 and in the API, as old as they are said to be."""

    def __init__(self, gateway: Gateway, api: Any, database_url: str, report_json: Any) -> None:
        self._gateway = gateway
        self._api = api
        self._url = database_url
        self._report_json = report_json

    def revision(self, window: MinuteWindow, number: int, days_ago: float, *, of: int | None = None) -> set[str]:
        """A revision, scored from the events of the revision `of` where that is given; its keys."""
        names, base = WindowObjects(window, number), WindowObjects(window, number if of is None else of)
        keys = {names.manifest, names.report} | ({names.events, names.baseline} if of is None else set())
        report = self._report_json(5, number) | {
            "window": f"{window.start:%Y-%m-%dT%H:%M:00Z}",
            "window_end": f"{window.end:%Y-%m-%dT%H:%M:00Z}",
            "inputs": {"events": base.events, "baseline": base.baseline, "rows": 1},
        }
        for key in keys:
            self._gateway.put(key, json.dumps(report).encode() if key == names.report else b"x" * 50, days_ago)
        assert self._api.client.post("/api/v1/reports", json=report).status_code == 201
        with closing(psycopg2.connect(self._url)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(
                "UPDATE reports SET received_at = %s WHERE window_start = %s AND revision = %s",
                (NOW - days_ago * DAY, window.start, number),
            )
        return keys

    def rows(self) -> list[tuple[datetime, int]]:
        with closing(psycopg2.connect(self._url)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT window_start, revision FROM reports ORDER BY 1, 2")
            return cursor.fetchall()


@pytest.fixture
def kept(gateway: Gateway, api: Any, database_url: str, report_json: Any) -> Kept:
    return Kept(gateway, api, database_url, report_json)


def minute(days_ago: float, number: int = 0) -> MinuteWindow:
    start = MinuteWindow.containing(NOW - days_ago * DAY).start.replace(hour=12, minute=number)
    return MinuteWindow(start)


def test_a_run_leaves_what_the_settings_and_the_reports_need(installation: Path, gateway: Gateway, kept: Kept) -> None:
    stays: set[str] = set()
    # Within all times.
    stays |= kept.revision(minute(1.5), 0, 1.4)
    stays |= kept.revision(minute(20), 0, 19)
    # Scored anew from the first revision's events.
    stays |= kept.revision(minute(20, 1), 0, 19)
    stays |= kept.revision(minute(20, 1), 1, 12, of=0)
    # Revised with late events: the old events go.
    names = WindowObjects(minute(20, 2))
    stays |= kept.revision(minute(20, 2), 0, 19) - {names.events, names.baseline}
    stays |= kept.revision(minute(20, 2), 1, 12)
    # Revised not long ago.
    stays |= kept.revision(minute(20, 3), 0, 19)
    stays |= kept.revision(minute(20, 3), 1, 3)
    # Minute files are too old, the report isn't.
    kept.revision(minute(40), 0, 39)
    stays.add(WindowObjects(minute(40)).report)
    # An old minute that was scored anew yesterday.
    stays |= kept.revision(minute(40, 1), 0, 39)
    stays |= kept.revision(minute(40, 1), 1, 1, of=0)
    # Everything is too old.
    kept.revision(minute(405), 0, 404)
    kept.revision(minute(405, 1), 0, 404)
    kept.revision(minute(405, 1), 1, 403)
    # A replay of the day before yesterday.
    stays |= kept.revision(MinuteWindow.parse("2019-03-01T12:00Z"), 0, 2)
    other = {"other/thing.txt", "minutes/notes.txt"}
    for key in other:
        gateway.put(key, b"ours", 1000)
    before = gateway.keys()

    done = expire_everything(installation)

    assert gateway.keys() == stays | other
    assert gateway.empty_folders() == []
    assert sum(done["objects"].values()) == len(before) - len(stays | other)
    assert done["objects"] == {"old revisions": 2, "minute files": 3 + 3 * 3, "reports": 3}
    assert done["stored_reports"] == 3
    assert {start for start, _ in kept.rows()}.isdisjoint({minute(405).start, minute(405, 1).start})
    assert len(kept.rows()) == 12
    again = expire_everything(installation)
    assert (again["objects"], again["stored_reports"]) == ({}, 0)
    assert gateway.keys() == stays | other


def test_a_bounded_run_is_taken_up_by_the_next(
    installation: Path, gateway: Gateway, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPORT_RETENTION_MAX_OBJECTS", "7")
    for number in range(4):
        kept.revision(minute(40, number), 0, 39)

    first = expire_everything(installation)

    assert (first["objects"], first["more_objects"]) == ({"minute files": 6}, True)
    assert expire_everything(installation)["objects"] == {"minute files": 6}
    assert gateway.keys() == {WindowObjects(minute(40, number)).report for number in range(4)}


def test_more_objects_than_one_request_deletes(installation: Path, gateway: Gateway) -> None:
    window = minute(50)
    for number in range(1100):
        gateway.put(f"{WindowObjects(window).manifest.rpartition('/')[0]}/part-{number}.parquet", b"", 49)

    assert expire_everything(installation)["objects"] == {"minute files": 1100}
    assert gateway.keys() == set()


def test_without_s3_nothing_is_deleted_and_the_error_says_what_is_down(
    installation: Path, gateway: Gateway, kept: Kept
) -> None:
    kept.revision(minute(405), 0, 404)
    rows = kept.rows()
    gateway.stop()

    with pytest.raises(TransientError, match="S3 does not answer"):
        expire_everything(installation)

    assert kept.rows() == rows
    gateway.start()
    assert expire_everything(installation)["stored_reports"] == 1


def test_a_wrong_key_is_a_matter_of_settings(installation: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_SECRET_KEY", "wrong")

    with pytest.raises(ConfigurationError, match="S3 refuses"):
        expire_everything(installation)


@pytest.mark.usefixtures("installation")
def test_the_doctor_counts_what_is_there(gateway: Gateway, kept: Kept, api: Any) -> None:
    for number in range(3):
        kept.revision(minute(20, number), 0, 19)
    kept.revision(minute(20, 0), 1, 0.5)
    kept.revision(minute(20, 1), 1, 0.5, of=0)
    settings = RetentionSettings.load()

    found = bucket_part.examine(Bucket(S3Settings.load()), settings, NOW, local=True, overdue_days=2)

    top = gateway.objects / gateway.settings.bucket

    def figures(kind: str, pattern: str) -> tuple[int, int]:
        files = [path for path in (top / kind).rglob("*") if path.is_file() and path.match(pattern)]
        return len(files), sum(path.stat().st_size for path in files)

    old = [path for kind in ("minutes", "reports") for path in (top / kind).glob("*/*/minute=0[01]/rev=0/*")]
    by_name = {one.name: (one.count, one.bytes) for one in found.holdings}
    assert sum(count or 0 for count, _ in by_name.values()) == len(gateway.keys()) == 12 + 4 + 2
    assert by_name["minutes/ old revisions"][0] == 6
    assert by_name["reports/ old revisions"][0] == 2
    assert (by_name["minutes/ old revisions"][1] or 0) + (by_name["reports/ old revisions"][1] or 0) == sum(
        path.stat().st_size for path in old
    )
    young = [path for path in top.rglob("*") if path.is_file() and path.stat().st_mtime > (NOW - DAY).timestamp()]
    assert found.bytes_last_day == sum(path.stat().st_size for path in young)
    assert found.findings == []
    kept.revision(minute(40), 0, 39)
    overdue = bucket_part.examine(Bucket(S3Settings.load()), settings, NOW, local=True, overdue_days=2)
    assert [one.what for one in overdue.findings] == ["minutes/ has objects of 39 days, and 30 days are kept"]

    held = reports_part.examine(api.client, NOW, local=True, overdue_days=2)
    assert [(one.name, one.count) for one in held.holdings] == [("minutes", 4), ("revisions", len(kept.rows()))]
    assert held.findings == []
    kept.revision(minute(500), 0, 499)
    assert "reports of 49" in reports_part.examine(api.client, NOW, local=True, overdue_days=2).findings[0].what
