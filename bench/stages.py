"""Export and detection of minutes of several sizes, beside the way this is usually done.

The usual way is a cold `spark-submit` for each minute, over rows that a Python client pulled out of ClickHouse and
uploaded. Both ways work on the same minute in the same run.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from statistics import median

from bench import usual
from bench.bulk import encoder_for, pregenerate, send
from bench.measurements import Figure
from bench.scratch import Scratch, scratch
from clickhouse.export import ExportRules, export_windows
from clickhouse.manifest import Manifest
from clickpulse.clients import clickhouse_client, s3_client
from clickpulse.objects import WindowObjects
from clickpulse.settings import S3Settings, SparkSettings
from clickpulse.windows import MinuteWindow
from spark.report_job import UNCHECKED, JobInputs, run_report_job
from spark.session import connect_session

SIZES = (10_000, 60_000, 600_000)
COMPARED = 60_000
REPEATS = 3
_WINDOW = MinuteWindow.parse("2026-01-01T00:00Z")
ALL_OFFSETS = 2**62
RULES = ExportRules(baseline_minutes=60, duplicate_minutes=60)


def measure(say: Callable[[str], None]) -> list[Figure]:
    """Median seconds of `REPEATS` exports and detections of each size, and the comparison at one of them."""
    figures: list[Figure] = []
    for size in SIZES:
        with scratch() as own, own_bucket() as s3:
            say(f"a minute of {size:,} events")
            encoder = encoder_for(own.kafka)
            events = pregenerate(_WINDOW, size, encoder)
            send(own.kafka, encoder, events)
            own.drain(len(events))
            figures += _ours(own, s3, len(events))
            if size == COMPARED:
                say("the usual way, on the same minute")
                figures += _compare(own, s3, figures[-2:])
    return figures


def manifest_of(objects: WindowObjects, cutoff: dict[int, int]) -> Manifest:
    """Of a revision that nobody asks about."""
    return Manifest(window=str(objects.window), revision=objects.revision, cutoff=cutoff, completeness=UNCHECKED)


@contextmanager
def own_bucket() -> Iterator[S3Settings]:
    settings = S3Settings.load(bucket=f"bench-{uuid.uuid4().hex[:8]}")
    client = s3_client(settings)
    client.make_bucket(settings.bucket)
    try:
        yield settings
    finally:
        for found in client.list_objects(settings.bucket, recursive=True):
            client.remove_object(settings.bucket, str(found.object_name))
        client.remove_bucket(settings.bucket)


def _ours(own: Scratch, s3: S3Settings, size: int) -> list[Figure]:
    exports, detections = [], []
    client = clickhouse_client(own.clickhouse)
    spark = connect_session(SparkSettings.load(), datetime.now(UTC))
    cutoff = dict.fromkeys(range(own.kafka.partitions), ALL_OFFSETS)
    for revision in range(REPEATS):
        objects = WindowObjects(_WINDOW, revision)
        began = time.perf_counter()
        export_windows(client, s3, [manifest_of(objects, cutoff)], RULES)
        exports.append(time.perf_counter() - began)
        began = time.perf_counter()
        report = run_report_job(spark, objects, JobInputs.in_bucket(objects, s3.bucket), UNCHECKED)
        detections.append(time.perf_counter() - began)
        if report.totals.events != size:
            raise RuntimeError(f"{size} events stored, {report.totals.events} reported")
    client.close()
    note = f"median of {REPEATS}"
    return [
        Figure("stages", f"export of {size:,} events", median(exports), "s", "", note),
        Figure("stages", f"detect on {size:,} events, warm Spark", median(detections), "s", "", note),
    ]


def _compare(own: Scratch, s3: S3Settings, ours: list[Figure]) -> list[Figure]:
    pulled = usual.pull_and_upload(own.clickhouse, s3, _WINDOW)
    submitted = usual.cold_submit(own.environment | {"S3_BUCKET": s3.bucket}, own.folder / "submit.log", _WINDOW)
    export, detect = (figure.value for figure in ours)
    return [
        Figure("usual way", "rows through a Python client", pulled, "s", "", f"{COMPARED:,} events"),
        Figure("usual way", "cold spark-submit", submitted, "s", "", f"{COMPARED:,} events"),
        Figure(
            "usual way", "usual way / Clickpulse", (pulled + submitted) / (export + detect), "times", "", "same minute"
        ),
    ]
