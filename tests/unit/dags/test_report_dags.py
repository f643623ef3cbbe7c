"""The DAG files: all parse, none is unlisted, and the report's runs are what they should be."""

from __future__ import annotations

import ast
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from clickpulse.airflow import steps
from clickpulse.airflow.dag_settings import report_settings
from clickpulse.airflow.warm_imports import TASK_RUNTIME, TASKS
from clickpulse.errors import ConfigurationError, TransientError
from clickpulse.revisions import Revision, from_json, to_json
from clickpulse.settings import PROJECT_ROOT
from clickpulse.windows import MINUTE, MinuteWindow

if TYPE_CHECKING:
    from airflow.sdk import DAG

DAGS = PROJECT_ROOT / "dags"
LISTED = {"accounting", "backfill_reports", "minutely_report", "report_revisions", "retention"}
START = datetime(2026, 11, 22, 10, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def dags() -> dict[str, DAG]:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(DAGS))
    assert bag.import_errors == {}
    return dict(bag.dags)


@pytest.fixture
def report_dag(dags: dict[str, DAG]) -> DAG:
    return dags["minutely_report"]


def serialized(dag: DAG) -> Any:
    """As the scheduler has it."""
    from airflow.serialization.serialized_objects import DagSerialization

    return DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag))))


def test_every_dag_is_listed(dags: dict[str, DAG]) -> None:
    assert set(dags) == LISTED
    assert {path.stem for path in DAGS.glob("*.py")} == LISTED


def test_every_dag_says_what_it_is_for(dags: dict[str, DAG]) -> None:
    for dag in dags.values():
        assert dag.doc_md
        assert dag.tags


def test_runs_follow_one_another_minute_by_minute(report_dag: DAG) -> None:
    """A bare cron string would give runs whose data interval is empty."""
    from airflow.timetables.base import TimeRestriction

    timetable = serialized(report_dag).timetable
    restriction = TimeRestriction(earliest=report_dag.start_date, latest=None, catchup=True)
    interval = None
    for number in range(5):
        run = timetable.next_dagrun_info(last_automated_data_interval=interval, restriction=restriction)
        interval = run.data_interval
        assert interval.start == START + number * MINUTE
        assert interval.end - interval.start == timedelta(minutes=1)
        assert run.run_after == interval.end


def test_a_run_by_hand_reports_the_last_full_minute(report_dag: DAG) -> None:
    import pendulum

    interval = serialized(report_dag).timetable.infer_manual_data_interval(
        run_after=pendulum.datetime(2026, 11, 22, 12, 30, 17, tz="UTC")
    )
    assert interval.start == datetime(2026, 11, 22, 12, 29, tzinfo=UTC)
    assert interval.end - interval.start == timedelta(minutes=1)


def test_the_newest_minute_waits_for_no_older_one(dags: dict[str, DAG]) -> None:
    report_dag = dags["minutely_report"]
    assert report_dag.catchup is False
    assert report_dag.max_active_runs == 4
    assert report_dag.start_date == START
    others = [task for dag in dags.values() if dag is not report_dag for task in dag.tasks]
    assert min(task.priority_weight for task in report_dag.tasks) > max(task.priority_weight for task in others)
    assert {task.weight_rule for task in report_dag.tasks} == {"absolute"}


def test_repairs_run_twice_a_minute_one_at_a_time(dags: dict[str, DAG]) -> None:
    from airflow.timetables.base import TimeRestriction

    dag = dags["report_revisions"]
    assert (dag.catchup, dag.max_active_runs) == (False, 1)
    timetable = serialized(dag).timetable
    restriction = TimeRestriction(earliest=dag.start_date, latest=None, catchup=True)
    first = timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)
    second = timetable.next_dagrun_info(last_automated_data_interval=first.data_interval, restriction=restriction)
    assert (first.run_after.second, second.run_after.second) == (20, 50)


def test_repairs_and_backfills_make_reports_as_the_minutely_run_does(dags: dict[str, DAG]) -> None:
    chain = {"export": {"detect"}, "detect": {"publish"}}
    for name, last in (("report_revisions", {"note_late"}), ("backfill_reports", set())):
        tasks = {task.task_id: task.downstream_task_ids for task in dags[name].tasks}
        assert tasks.items() >= chain.items()
        assert "export" in tasks["plan"]
        assert tasks["publish"] == last
    assert dags["report_revisions"].get_task("note_late").trigger_rule == "none_failed"


def test_a_backfill_run_is_an_hour(dags: dict[str, DAG]) -> None:
    import pendulum

    interval = serialized(dags["backfill_reports"]).timetable.infer_manual_data_interval(
        run_after=pendulum.datetime(2026, 11, 22, 12, 30, 17, tz="UTC")
    )
    assert interval.end - interval.start == timedelta(hours=1)
    for name in ("from", "to"):
        assert dags["backfill_reports"].params.get_param(name).resolve("2026-11-22T10:05Z")


def test_tasks_and_their_order(report_dag: DAG) -> None:
    assert {task.task_id: task.downstream_task_ids for task in report_dag.tasks} == {
        "await_minute": {"export"},
        "export": {"detect"},
        "detect": {"publish"},
        "publish": set(),
    }


def test_transient_errors_are_retried_soon_and_for_minutes(report_dag: DAG) -> None:
    from airflow.sdk import RetryAction

    for task in report_dag.tasks:
        assert task.retry_delay == timedelta(seconds=2)
        assert task.retry_exponential_backoff == 2
        least = sum(min(2 * 2**retry, 60) for retry in range(task.retries))
        assert 180 < least < 900
        assert task.execution_timeout
        retried = task.retry_policy.evaluate(TransientError("Kafka does not answer"), 1, task.retries)
        assert retried.action is RetryAction.DEFAULT
        stopped = task.retry_policy.evaluate(ConfigurationError("S3_BUCKET: missing"), 1, task.retries)
        assert stopped.action is RetryAction.FAIL


def test_the_awaiting_task_outlives_its_own_time_limit(report_dag: DAG) -> None:
    limit = report_settings().completeness_timeout_seconds
    assert report_dag.get_task("await_minute").execution_timeout > timedelta(seconds=limit + 60)


@pytest.mark.parametrize("window", ["2026-11-22T10:05Z", None])
def test_window_parameter_takes_a_minute(report_dag: DAG, window: str | None) -> None:
    assert report_dag.params.get_param("window").resolve(window) == window


@pytest.mark.parametrize("window", ["10:05", "2026-11-22T10:05:30Z", "2026-11-22T10:05"])
def test_window_parameter_refuses_anything_else(report_dag: DAG, window: str) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    with pytest.raises(ParamValidationError):
        report_dag.params.get_param("window").resolve(window)


def test_start_has_to_be_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.delenv("REPORT_START")
    for variable in ("CLICKPULSE_HOME", "CLICKPULSE_ENV_DIR", "CLICKPULSE_CREDS_DIR"):
        monkeypatch.setenv(variable, str(tmp_path))
    with pytest.raises(ConfigurationError, match="REPORT_START is not set"):
        report_settings()


def test_dag_files_import_only_what_is_light() -> None:
    """They are parsed again in each task's process; what is heavy belongs into the steps' functions."""
    allowed = {
        "__future__", "airflow.sdk", "clickpulse.airflow.dag_settings", "clickpulse.airflow.report_tasks", "datetime",
        "typing",
    }  # fmt: skip
    for path in DAGS.glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ImportFrom):
                assert node.module in allowed, path
            assert not isinstance(node, ast.Import), path


def test_executor_warms_modules_that_exist() -> None:
    from importlib.util import find_spec

    assert [name for name in TASK_RUNTIME + TASKS if find_spec(name) is None] == []


def test_minute_of_a_step() -> None:
    interval_start = datetime(2026, 11, 22, 10, 7, tzinfo=UTC)
    assert steps._minute(None, interval_start) == MinuteWindow(interval_start)
    assert steps._minute("2026-11-22T10:05Z", interval_start) == MinuteWindow(START)
    with pytest.raises(ConfigurationError, match="parameter window"):
        steps._minute(None, None)


def test_revisions_survive_xcom() -> None:
    revisions = [Revision(MinuteWindow(START), 0), Revision(MinuteWindow(START), 3, scored_from=2, reason="a new rule")]
    assert from_json(json.loads(json.dumps(to_json(revisions)))) == revisions


def test_detect_is_a_spark_submit_by_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator

    monkeypatch.setenv("SPARK_MODE", "submit")
    bag = DagBag(str(DAGS))
    assert bag.import_errors == {}
    dag = bag.dags["minutely_report"]
    detect = dag.get_task("detect")
    assert isinstance(detect, SparkSubmitOperator)
    assert (detect.upstream_task_ids, detect.downstream_task_ids) == ({"export"}, {"publish"})
    assert serialized(dag).get_task("detect").task_type == "SubmitReportJob"
