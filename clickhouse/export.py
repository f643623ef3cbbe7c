"""The export of minutes: ClickHouse itself writes their Parquet to S3, as many minutes in one query as there are.

`events.parquet` is a function of the window and the cutoff: a re-run gives the same bytes. `baseline.parquet` is
written once for a revision and kept, as what it is made of goes on changing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from clickhouse.manifest import Manifest
from clickhouse.queries import load
from clickpulse.clients import s3_client
from clickpulse.errors import ConfigurationError, TransientError
from clickpulse.settings import S3Settings
from clickpulse.storage import object_exists

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_LASTING_CODES = frozenset({36, 46, 47, 60, 62, 81, 164, 497, 516})
"""Errors that another attempt does not mend: a wrong setting, schema or right."""
_MINUTES_A_QUERY = 60
"""An object is open for each minute while a query writes them."""
_STAT_THREADS = 8


@dataclass(frozen=True)
class ExportRules:
    """How a revision's objects are made.

    `baseline_minutes` are the minutes before a window that its baseline covers; an `event_id` is looked for in
    `duplicate_minutes` before and after its minute.
    """

    baseline_minutes: int
    duplicate_minutes: int


def export_windows(
    client: Client, s3: S3Settings, manifests: Sequence[Manifest], rules: ExportRules, *, endpoint: str | None = None
) -> None:
    """Write the events of revisions and, where they are not there yet, their baselines.

    A minute without events gives a file without rows.

    Args:
        client: of a user that may write; used by nobody else meanwhile.
        s3: the bucket, with the credentials that ClickHouse writes with.
        manifests: of the revisions, with their cutoffs; at most one of each minute.
        rules: see there.
        endpoint: S3 as ClickHouse reaches it, where that is not `s3.endpoint`.

    Raises:
        ConfigurationError: ClickHouse or S3 refuses what only a person can mend, such as wrong credentials.
        TransientError: ClickHouse or S3 does not answer.
    """
    export = _Export(client, s3, rules, f"{(endpoint or str(s3.endpoint)).rstrip('/')}/{s3.bucket}")
    ordered = sorted(manifests, key=lambda manifest: manifest.objects.window)
    with _parameters_in_body(client):
        chunks = [ordered[i : i + _MINUTES_A_QUERY] for i in range(0, len(ordered), _MINUTES_A_QUERY)]
        for chunk in chunks:
            for group in _of_one_cutoff(chunk):
                export.events(group)
        for chunk in chunks:
            export.baselines(chunk)


def _of_one_cutoff(manifests: Sequence[Manifest]) -> Iterator[list[Manifest]]:
    """Together what is cut off alike: one query has one cutoff."""
    groups: dict[tuple[tuple[int, int], ...], list[Manifest]] = {}
    for manifest in manifests:
        groups.setdefault(tuple(sorted(manifest.cutoff.items())), []).append(manifest)
    yield from groups.values()


class _Export:
    """The queries, on one bucket."""

    def __init__(self, client: Client, s3: S3Settings, rules: ExportRules, base: str) -> None:
        self._client = client
        self._s3 = s3
        self._rules = rules
        self._base = base

    def events(self, manifests: Sequence[Manifest]) -> None:
        """Minutes of the same cutoff; afterwards what of them comes late, and what was in them, is known."""
        windows = [manifest.objects.window.start for manifest in manifests]
        cutoff = manifests[0].cutoff
        cut = {"partitions": sorted(cutoff), "offsets": [cutoff[partition] for partition in sorted(cutoff)]}
        filled = self._minutes("minutes_with_events", manifests, {"windows": _times(windows)} | cut)
        with_events = [manifest for manifest in manifests if manifest.objects.window.start in filled]
        keys = {manifest.objects.window.start: manifest.objects.events for manifest in with_events}
        if with_events:
            duplicates = {"duplicate_minutes": self._rules.duplicate_minutes}
            self._run("export_minutes", with_events, self._partitioned(keys) | cut | duplicates | _bounds(keys))
            self._aggregate(with_events)
        for manifest in manifests:
            if manifest.objects.window.start not in filled:
                self._run("export_empty_minute", [manifest], self._target(manifest.objects.events))
        self._remember_cutoffs(manifests)

    def baselines(self, manifests: Sequence[Manifest]) -> None:
        """Of those that have none yet."""
        client = s3_client(self._s3)
        there = partial(object_exists, client, self._s3.bucket)
        with ThreadPoolExecutor(_STAT_THREADS) as pool:
            found = list(pool.map(there, [manifest.objects.baseline for manifest in manifests]))
        missing = [manifest for manifest, exists_already in zip(manifests, found, strict=True) if not exists_already]
        if not missing:
            return
        length = timedelta(minutes=self._rules.baseline_minutes)
        keys = {manifest.objects.window.start: manifest.objects.baseline for manifest in missing}
        reach = {"from": _time(min(keys) - length), "to": _time(max(keys))}
        self._run("aggregate_missing", missing, reach)
        known = self._minutes("minutes_with_aggregates", missing, reach)
        with_past = {start: key for start, key in keys.items() if any(start - length <= m < start for m in known)}
        if with_past:
            past = {"minutes": self._rules.baseline_minutes}
            self._run("export_baselines", missing, self._partitioned(with_past) | past | _bounds(with_past))
        for start in keys.keys() - with_past.keys():
            self._run("export_empty_baseline", missing, self._target(keys[start]))

    def _aggregate(self, manifests: Sequence[Manifest]) -> None:
        keys = [manifest.objects.events for manifest in manifests]
        source = keys[0] if len(keys) == 1 else f"{{{','.join(keys)}}}"
        versions = {
            "windows": _times([manifest.objects.window.start for manifest in manifests]),
            "versions": [manifest.revision + 1 for manifest in manifests],
        }
        self._run("aggregate_exported", manifests, self._target(source) | versions)

    def _remember_cutoffs(self, manifests: Sequence[Manifest]) -> None:
        rows = [
            [manifest.objects.window.start, partition, offset, manifest.revision, manifest.completeness.complete]
            for manifest in manifests
            for partition, offset in sorted(manifest.cutoff.items())
        ]
        if rows:
            columns = ["minute", "kafka_partition", "cutoff", "revision", "complete"]
            with _explained(manifests):
                self._client.insert("revision_cutoffs", rows, column_names=columns)

    def _partitioned(self, keys: Mapping[datetime, str]) -> dict[str, Any]:
        """A query that writes several objects at once has the rest of each one's key in its rows."""
        return self._target("{_partition_id}") | {"windows": _times(list(keys)), "keys": list(keys.values())}

    def _target(self, key: str) -> dict[str, Any]:
        return {
            "s3_url": f"{self._base}/{key}",
            "s3_access_key": self._s3.access_key,
            "s3_secret_key": self._s3.secret_key.get_secret_value(),
        }

    def _run(self, query: str, manifests: Sequence[Manifest], parameters: dict[str, Any]) -> None:
        with _explained(manifests):
            self._client.raw_query(load(query), parameters=parameters)

    def _minutes(self, query: str, manifests: Sequence[Manifest], parameters: dict[str, Any]) -> set[datetime]:
        """A query's only column, times in UTC."""
        with _explained(manifests):
            rows = self._client.query(load(query), parameters=parameters, query_tz="UTC", tz_mode="aware").result_rows
        return {row[0] for row in rows}


def _bounds(keys: Mapping[datetime, str]) -> dict[str, str]:
    return {"first": _time(min(keys)), "last": _time(max(keys))}


def _times(moments: Sequence[datetime]) -> list[str]:
    return [_time(moment) for moment in moments]


def _time(moment: datetime) -> str:
    """ClickHouse's form of a DateTime('UTC')."""
    return moment.strftime("%Y-%m-%d %H:%M:%S")


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
def _explained(manifests: Sequence[Manifest]) -> Iterator[None]:
    from clickhouse_connect.driver.exceptions import Error

    try:
        yield
    except Error as error:
        first, last = manifests[0].objects, manifests[-1].objects
        what = f"{first.window} revision {first.revision}"
        what += f" to {last.window}" if len(manifests) > 1 else ""
        raise (ConfigurationError if error.code in _LASTING_CODES else TransientError)(
            f"export of {what}: {error}"
        ) from error
