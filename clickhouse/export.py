"""The minute's Parquet objects, written to S3 by ClickHouse itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clickhouse.manifest import put_if_absent
from clickhouse.queries import load
from clickpulse.clients import s3_client
from clickpulse.objects import WindowObjects
from clickpulse.settings import S3Settings
from clickpulse.windows import MinuteWindow

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_CLICKHOUSE_TIME = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True)
class ExportResult:
    """What was written: rows of the events object, and the keys in the bucket."""

    rows: int
    events: str
    baseline: str


def export_window(
    client: Client, s3: S3Settings, objects: WindowObjects, cutoff: Mapping[int, int], *, baseline_minutes: int
) -> ExportResult:
    """Write `events.parquet` and, once, `baseline.parquet` of one revision of a window.

    The events are those below the cut-off (first offset not taken, by Kafka partition), each `event_id` once; doing it
    again writes the same bytes. The baseline is kept as the first run of the revision wrote it, as events of earlier
    minutes may arrive in between. A minute without events gives a file without rows.

    Raises:
        clickhouse_connect.driver.exceptions.Error: ClickHouse doesn't answer or can't write.
        TransientError: S3 doesn't answer.
    """
    _write_baseline(client, s3, objects, baseline_minutes)
    parameters = {
        **_target(s3, objects.events),
        **_window(objects.window),
        "partitions": list(cutoff.keys()),
        "offsets": list(cutoff.values()),
    }
    summary = client.command(load("export_head") + load("window_events"), parameters=parameters)
    return ExportResult(int(summary.written_rows), objects.events, objects.baseline)


def _write_baseline(client: Client, s3: S3Settings, objects: WindowObjects, minutes: int) -> None:
    start = objects.window.start.strftime(_CLICKHOUSE_TIME)
    content = client.raw_query(load("window_baseline"), parameters={"start": start, "minutes": minutes}, fmt="Parquet")
    put_if_absent(s3_client(s3), s3.bucket, objects.baseline, content)


def _target(s3: S3Settings, key: str) -> dict[str, Any]:
    return {
        "url": f"{str(s3.endpoint).rstrip('/')}/{s3.bucket}/{key}",
        "access_key": s3.access_key,
        "secret_key": s3.secret_key.get_secret_value(),
    }


def _window(window: MinuteWindow) -> dict[str, str]:
    return {"start": window.start.strftime(_CLICKHOUSE_TIME), "end": window.end.strftime(_CLICKHOUSE_TIME)}
