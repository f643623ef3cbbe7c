"""Settings that a DAG file needs while it is parsed."""

from __future__ import annotations

from clickpulse.errors import ConfigurationError
from clickpulse.settings import ReportSettings, SparkSettings, creds_dir, env_dir, stack_env_file


def report_settings() -> ReportSettings:
    """The report settings, with the start given: a DAG's start date must be the same at each parse.

    Raises:
        ConfigurationError: `REPORT_START` isn't set; Airflow shows it as the DAG's import error.
    """
    settings = ReportSettings.load()
    if "start" not in settings.model_fields_set:
        raise ConfigurationError(
            "REPORT_START is not set: give the first minute to report, such as 2026-11-22T10:05Z, in the environment, "
            f"{env_dir() / 'report.env'}, {creds_dir() / 'report.creds'} or {stack_env_file()}"
        )
    return settings


def submits_to_spark() -> bool:
    """Whether the step `detect` is a `spark-submit` (SPARK_MODE)."""
    return SparkSettings.load().mode == "submit"
