"""What a `spark-submit` of the report job needs: properties, variables, arguments. No secret is an argument.

    SPARK_MODE=submit SPARK_MASTER=spark://spark-master:7077

The driver runs where it is submitted from, in the Airflow worker, which needs a Java and the jars of S3A
(SPARK_JARS_DIR), and which executors have to reach by its host name.
"""

from __future__ import annotations

import json
import shlex
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from clickpulse.revisions import Revision, to_json
from clickpulse.settings import S3Settings, SparkSettings
from spark import jvm
from spark.properties import java_options, job_properties, write_properties
from spark.settings import SparkClusterSettings, SparkSecrets

APPLICATION = str(Path(__file__).with_name("submit.py"))


@dataclass(frozen=True)
class Submission:
    """One `spark-submit`: its properties file, its variables besides those of this process, the job's arguments."""

    properties_file: str
    environment: dict[str, str]
    arguments: list[str]


@contextmanager
def submission(settings: SparkSettings, revisions: Sequence[Revision]) -> Iterator[Submission]:
    """Write what the submission of a job needs; it is deleted afterwards."""
    run_dir, s3 = SparkClusterSettings.load().run_dir, S3Settings.load()
    run_dir.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="submit-", dir=run_dir) as folder:
        properties = job_properties(settings, s3, SparkSecrets.load()) | {
            "spark.app.name": f"clickpulse {_name(revisions)}",
            "spark.driver.extraJavaOptions": shlex.join(java_options(s3, folder)),
            "spark.local.dir": folder,
            "spark.sql.warehouse.dir": f"{folder}/warehouse",
            **_driver_address(settings),
        }
        file = write_properties(Path(folder, "spark.properties"), properties)
        arguments = ["--revisions", json.dumps(to_json(revisions))]
        yield Submission(str(file), jvm.environment(settings, Path(folder)), arguments)


def _driver_address(settings: SparkSettings) -> dict[str, object]:
    """Where a cluster's executors find the driver: by its name, as the first of its addresses, which Spark would take,
    may belong to a network that they are not in.
    """
    if settings.local_ip or not settings.master.startswith("spark://"):
        return {}
    return {"spark.driver.host": socket.gethostname(), "spark.driver.bindAddress": "0.0.0.0"}  # noqa: S104 - as above


def _name(revisions: Sequence[Revision]) -> str:
    first = f"{revisions[0].window} revision {revisions[0].number}"
    return first if len(revisions) == 1 else f"{first} and {len(revisions) - 1} more"
