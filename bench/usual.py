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
from clickpulse.settings import PROJECT_ROOT, ClickHouseSettings, S3Settings, home_dir
from clickpulse.windows import MinuteWindow
from local import java
from local.services import spark
from local.services.base import run_step

_ROWS = Path(__file__).with_name("pull_rows.sql")


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
    properties = home_dir() / "run" / "spark.properties"
    command = spark.submit_command(
        ["--properties-file", str(properties), "--conf", "spark.connect.grpc.binding.port=0"],
        str(PROJECT_ROOT / "spark" / "report_job.py"),
        ["--window", str(window), "--submitted"],
    )
    # PySpark's client leaves variables behind that would send the new process to the Connect server.
    clean = {name: value for name, value in environment.items() if not name.startswith("SPARK_")}
    began = time.perf_counter()
    run_step([java.java(), *command], clean | spark.submit_environment(), log)
    return time.perf_counter() - began
