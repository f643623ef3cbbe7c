"""Reads the reports that count from the report API, and the rows that they were made of from S3."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from clickpulse.accounting.columns import Rows, hash_of_bytes, minute_number, window_of
from clickpulse.accounting.record import UncheckableError
from clickpulse.errors import ConfigurationError, TransientError
from clickpulse.report_calls import REPORTS, call
from clickpulse.windows import MinuteWindow

if TYPE_CHECKING:
    import httpx
    from minio import Minio

_PAGE = 500
_UUID_BYTES = 16
_COLUMNS = ["kafka_partition", "kafka_offset", "event_id"]


@dataclass(frozen=True)
class CountingReport:
    """The highest revision of a minute, as far as it is accounted for; `events_key` is the object with its rows."""

    window: MinuteWindow
    revision: int
    complete: bool
    events: int
    events_key: str
    received_at: datetime


class StoredReports:
    """Reports of the API, and their objects in the bucket.

    Args:
        api: a client that may read.
        s3: a client of the bucket's service.
        bucket: its name.
        first_minute: what minutes are counted from, in minutes of the epoch.
    """

    def __init__(self, api: httpx.Client, s3: Minio, bucket: str, first_minute: int) -> None:
        self._api = api
        self._s3 = s3
        self._bucket = bucket
        self._first = first_minute

    def counting(self, first: int, end: int) -> dict[int, CountingReport]:
        """The reports of minutes `[first, end)`, by minute.

        Raises:
            ConfigurationError: the API refuses to tell.
            TransientError: it does not answer.
        """
        span = window_of(self._first + first), window_of(self._first + end)
        return {self._number(report.window): report for report in counting_reports(self._api, *span)}

    def rows(self, report: CountingReport) -> Rows:
        """The rows of the report's events object.

        Raises:
            UncheckableError: there is no such object any more.
            ConfigurationError: S3 refuses.
            TransientError: S3 does not answer.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        content = self._object(report)
        table = pq.read_table(pa.BufferReader(content), columns=_COLUMNS)
        ids = table.column("event_id").combine_chunks()
        return Rows(
            np.full(len(table), self._number(report.window), np.int64),
            table.column("kafka_partition").to_numpy().astype(np.int64),
            table.column("kafka_offset").to_numpy().astype(np.int64),
            hash_of_bytes(_uuids(ids)),
        )

    def _object(self, report: CountingReport) -> bytes:
        from minio.error import S3Error
        from urllib3.exceptions import HTTPError

        try:
            with self._s3.get_object(self._bucket, report.events_key) as answer:
                content: bytes = answer.read()
        except S3Error as error:
            if error.code == "NoSuchKey":
                raise UncheckableError(
                    f"{report.window} can't be checked: S3 has no {self._bucket}/{report.events_key} any more, which "
                    f"revision {report.revision} of its report was made of"
                ) from error
            raise ConfigurationError(f"S3 refuses {report.events_key}: {error.code} {error.message}") from error
        except HTTPError as error:
            raise TransientError(f"S3 does not answer for {report.events_key}: {error!r}") from error
        return content

    def _number(self, window: MinuteWindow) -> int:
        return minute_number(window) - self._first


def counting_reports(api: httpx.Client, start: MinuteWindow, end: MinuteWindow) -> Iterator[CountingReport]:
    """The highest revisions of the minutes from `start` to before `end`, newest first."""
    query: dict[str, Any] = {"from": str(start), "to": str(end), "limit": _PAGE}
    while True:
        page = call(api, "GET", REPORTS, what="the reports of the range", params=query).json()
        for body in page["items"]:
            yield CountingReport(
                window=MinuteWindow.parse(body["window"]),
                revision=body["revision"],
                complete=body["complete"],
                events=body["totals"]["events"],
                events_key=body["inputs"]["events"],
                received_at=datetime.fromisoformat(body["received_at"]),
            )
        if page["next_cursor"] is None:
            return
        query["cursor"] = page["next_cursor"]


def _uuids(column: Any) -> Any:
    """UUIDs as rows of 16 bytes."""
    storage = getattr(column, "storage", column)
    width = storage.type.byte_width
    raw = np.frombuffer(storage.buffers()[1], np.uint8, count=len(storage) * width, offset=storage.offset * width)
    return raw.reshape(len(storage), _UUID_BYTES)
