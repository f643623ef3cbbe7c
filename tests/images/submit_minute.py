"""A `spark-submit` of the report job on the warm-up's minute, as Airflow's worker makes one; run in its image."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import spark
from clickpulse.revisions import Revision
from clickpulse.settings import S3Settings, SparkSettings
from spark.submission import submission
from spark.warm_up import PREFIX, WINDOW


def main() -> int:
    settings, folder = SparkSettings.load(), f"s3a://{S3Settings.load().bucket}/{PREFIX}"
    job = str(Path(spark.__file__).with_name("report_job.py"))
    files = {"events": "events.parquet", "baseline": "baseline.parquet", "out": "submitted.json"}
    arguments = [f"--{name}={folder}/{file}" for name, file in files.items()]
    with submission(settings, [Revision(WINDOW, 0)]) as submitted:
        options = ["--master", settings.master, "--properties-file", submitted.properties_file]
        command = ["spark-submit", *options, job, f"--window={WINDOW}", *arguments, "--submitted"]
        environment = {**os.environ, **submitted.environment}
        path = environment["PATH"]
        return subprocess.run(["/usr/bin/env", f"PATH={path}", *command], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
