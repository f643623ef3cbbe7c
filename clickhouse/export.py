"""The export of a minute: ClickHouse itself writes its Parquet to S3.

`events.parquet` is a function of the window and the cutoff: a re-run gives the same bytes. `baseline.parquet` is
written once for a revision and kept, as what it is made of goes on changing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clickhouse.manifest import exists
from clickhouse.queries import load
from clickpulse.clients import s3_client
from clickpulse.errors import ConfigurationError, TransientError
from clickpulse.objects import WindowObjects
from clickpulse.settings import S3Settings

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_LASTING_CODES = frozenset({36, 46, 47, 60, 62, 81, 164, 497, 516})
"""Errors that another attempt does not mend: a wrong setting, schema or right."""


@dataclass(frozen=True)
class ExportResult:
    """What was written: rows of the events object, and the keys in the bucket."""

    rows: int
    events: str
    baseline: str


def export_window(
    client: Client,
    s3: S3Settings,
    objects: WindowObjects,
    cutoff: Mapping[int, int],
    *,
    baseline_minutes: int,
    endpoint: str | None = None,
) -> ExportResult:
    """Write a revision's events and, where it is not there yet, its baseline.

    A minute without events gives a file without rows.

    Args:
        client: of a user that may write; used by nobody else meanwhile.
        s3: the bucket, with the credentials that ClickHouse writes with.
        objects: the window, the revision and with them the keys.
        cutoff: by Kafka partition, the first offset that is not part of the revision; other partitions are left out.
        baseline_minutes: how many minutes before the window the baseline covers.
        endpoint: S3 as ClickHouse reaches it, where that is not `s3.endpoint`.

    Raises:
        ConfigurationError: ClickHouse or S3 refuses what only a person can mend, such as wrong credentials.
        TransientError: ClickHouse or S3 does not answer.
    """
    base = f"{(endpoint or str(s3.endpoint)).rstrip('/')}/{s3.bucket}"
    events, baseline = (_target(s3, f"{base}/{key}") for key in (objects.events, objects.baseline))
    cut = {"partitions": sorted(cutoff), "offsets": [cutoff[partition] for partition in sorted(cutoff)]}
    window = {"window_start": objects.window.start.strftime("%Y-%m-%d %H:%M:%S")}
    with _parameters_in_body(client), _explained(objects):
        client.raw_query(load("export_minute"), parameters=events | window | cut)
        rows = int(client.raw_query(load("count_exported"), parameters=events, fmt="TabSeparated"))
        if not exists(s3_client(s3), s3.bucket, objects.baseline):
            client.raw_query(load("export_baseline"), parameters=baseline | window | {"minutes": baseline_minutes})
    return ExportResult(rows, objects.events, objects.baseline)


def _target(s3: S3Settings, url: str) -> dict[str, Any]:
    return {"s3_url": url, "s3_access_key": s3.access_key, "s3_secret_key": s3.secret_key.get_secret_value()}


@contextmanager
def _parameters_in_body(client: Client) -> Iterator[None]:
    """Send parameters as a form: those of a URL, here S3's keys, end up in the logs of proxies and drivers."""
    before = client.form_encode_query_params
    client.form_encode_query_params = True
    try:
        yield
    finally:
        client.form_encode_query_params = before


@contextmanager
def _explained(objects: WindowObjects) -> Iterator[None]:
    from clickhouse_connect.driver.exceptions import Error

    try:
        yield
    except Error as error:
        text = f"export of {objects.window} revision {objects.revision}: {error}"
        raise (ConfigurationError if error.code in _LASTING_CODES else TransientError)(text) from error
