"""How this is usually done: rows pulled through a Python client, and a Spark JVM started for each minute."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from clickpulse.clients import clickhouse_client, s3_client
from clickpulse.objects import WindowObjects
from clickpulse.revisions import Revision
from clickpulse.settings import PROJECT_ROOT, ClickHouseSettings, S3Settings, SparkSettings
from clickpulse.windows import MinuteWindow
from local.services.base import run_step
from spark import jvm
from spark.submission import submission

_ROWS = Path(__file__).with_name("pull_rows.sql")
_JOB = str(PROJECT_ROOT / "spark" / "report_job.py")
_LEFT_BY_SPARK_CONNECT = frozenset({"SPARK_REMOTE", "SPARK_LOCAL_REMOTE", "SPARK_CONNECT_MODE_ENABLED"})
"""Variables that a Connect session sets in its process; with them `spark-submit` makes a client instead of a driver."""


def pull_and_upload(clickhouse: ClickHouseSettings, s3: S3Settings, window: MinuteWindow) -> float:
    """Seconds to read the window's rows as Python tuples, make Parquet of them and upload it."""
    client = clickhouse_client(clickhouse)
    began = time.perf_counter()
    result = client.query(_ROWS.read_text(), parameters={"start": window.start, "end": window.end})
    columns = {name: [row[i] for row in result.result_rows] for i, name in enumerate(result.column_names)}
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    key = WindowObjects(window, 99).events
    s3_client(s3).put_object(s3.bucket, key, io.BytesIO(buffer.getvalue()), buffer.getbuffer().nbytes)
    seconds = time.perf_counter() - began
    client.close()
    return seconds


def cold_submit(environment: Mapping[str, str], log: Path, window: MinuteWindow) -> float:
    """Seconds of one `spark-submit` of the report job on objects that are there already (revision 0)."""
    settings = SparkSettings.load()
    with submission(settings, [Revision(window, 0)]) as job:
        arguments = ["--properties-file", job.properties_file, _JOB, "--window", str(window), "--submitted"]
        command = jvm.submit_command(settings, settings.driver_memory, arguments)
        clean = {name: value for name, value in environment.items() if name not in _LEFT_BY_SPARK_CONNECT}
        began = time.perf_counter()
        run_step(command, {**clean, **job.environment}, log)
        return time.perf_counter() - began
