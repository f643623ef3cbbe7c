"""The DAG's step `detect` where SPARK_MODE is submit: `spark-submit`, with the Spark provider's operator.

The operator's process waits for `spark-submit` and kills it when the task is stopped or its time is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.exceptions import AirflowException
from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import Connection

from clickpulse.airflow.steps import detected
from clickpulse.errors import ConfigurationError
from clickpulse.revisions import from_json
from clickpulse.settings import SparkSettings
from spark.submission import APPLICATION, submission


class SubmitReportJob(SparkSubmitOperator):  # type: ignore[misc]  # mypy does not follow into Airflow
    """Submits the job of a run's revisions to SPARK_MASTER and waits for it; the result is that of the step `detect`.

    Args:
        exported: what the step `export` returned.
    """

    template_fields: Sequence[str] = (*SparkSubmitOperator.template_fields, "exported")

    def __init__(self, *, exported: Any, **arguments: Any) -> None:
        super().__init__(application=APPLICATION, **arguments)
        self.exported = exported

    def execute(self, context: Any) -> dict[str, Any]:
        """Run the job.

        Raises:
            ConfigurationError: the job says that an input is missing or wrong.
            AirflowException: it failed otherwise; the message has the end of its output.
        """
        with submission(SparkSettings.load(), from_json(self.exported["revisions"])) as job:
            self.properties_file = job.properties_file
            self.env_vars = job.environment
            self.application_args = job.arguments
            try:
                super().execute(context)
            except AirflowException as error:
                if f"error: {ConfigurationError.__name__}:" in str(error):
                    raise ConfigurationError(str(error)) from error
                raise
        return detected(self.exported)

    def _get_hook(self) -> SparkSubmitHook:
        return _SettingsHook(
            conf=self.conf,
            name="",  # it is among the properties
            properties_file=self.properties_file,
            env_vars=self.env_vars,
            application_args=self.application_args,
        )


class _SettingsHook(SparkSubmitHook):  # type: ignore[misc]  # mypy does not follow into Airflow
    """The provider's hook with the master of SPARK_MASTER, instead of a connection in Airflow's database."""

    @classmethod
    def get_connection(cls, conn_id: str) -> Connection:
        return Connection(conn_id=conn_id, conn_type=cls.conn_type, host=SparkSettings.load().master)
