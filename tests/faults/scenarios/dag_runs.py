"""A minute's run done again: cleared, retried after a failure, and twice at the same time. Nothing may change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from clickpulse.clients import s3_client
from clickpulse.objects import WindowObjects
from clickpulse.settings import S3Settings
from clickpulse.windows import MinuteWindow
from tests.faults import reports
from tests.faults.airflow_api import Airflow
from tests.faults.scenario import Course, Lab, Scenario
from tests.faults.scenarios.messages import reported_window
from tests.support import wait_for

RETRY_SECONDS = 120


@contextmanager
def done_again(lab: Lab, course: Course, again: Callable[[Airflow, Lab, Course, MinuteWindow], None]) -> Iterator[None]:
    """The newest reported minute's run again; its objects and reports have to be what they were, byte for byte."""
    window = reported_window()
    before = state_of(window)
    with Airflow() as airflow:
        again(airflow, lab, course, window)
    after = state_of(window)
    assert after == before, f"{window} was reported differently the second time: {before} and {after}"
    course.note("the same report, byte for byte")
    yield


def state_of(window: MinuteWindow) -> dict[str, Any]:
    """The minute's revisions as the API lists them, and the report objects as they are in S3."""
    revisions = reports.read(f"/api/v1/reports/{window}/revisions")
    assert revisions is not None, f"the report API does not tell the revisions of {window}"
    numbers = [one["revision"] for one in revisions["revisions"]]
    return {"listed": revisions["revisions"], "stored": {number: _stored(window, number) for number in numbers}}


def _stored(window: MinuteWindow, revision: int) -> bytes:
    settings = S3Settings.load()
    with s3_client(settings).get_object(settings.bucket, WindowObjects(window, revision).report) as answer:
        return bytes(answer.read())


def cleared(airflow: Airflow, _lab: Lab, course: Course, window: MinuteWindow) -> None:
    run = airflow.scheduled_run(window)
    tries = airflow.task(run, "publish")["try_number"]
    airflow.clear(run)
    wait_for(
        lambda: airflow.task(run, "publish")["try_number"] > tries, seconds=RETRY_SECONDS, what="the tasks to run again"
    )
    airflow.await_end(run)
    course.note("every task ran again")


def twice_at_once(airflow: Airflow, _lab: Lab, course: Course, window: MinuteWindow) -> None:
    runs = [airflow.trigger(window) for _ in range(2)]
    for run in runs:
        airflow.await_end(run)
    course.note("two runs of the minute at the same time")


def retried(airflow: Airflow, lab: Lab, course: Course, window: MinuteWindow) -> None:
    """`publish` fails while the report API is away, and is tried again."""
    with lab.services.stopped("report-api"):
        run = airflow.trigger(window)
        wait_for(
            lambda: airflow.task(run, "publish")["state"] == "up_for_retry",
            seconds=RETRY_SECONDS,
            what="publish to fail for want of the report API",
        )
    airflow.await_end(run)
    tries = airflow.task(run, "publish")["try_number"]
    assert tries > 1, "publish was not tried again"
    wait_for(lambda: reports.fetch_report(window), seconds=RETRY_SECONDS, what="the report API to answer again")
    course.note(f"publish succeeded at try {tries}")


def scenarios() -> Iterator[Scenario]:
    for name, title, story, again in (
        ("run-cleared", "a finished DAG run cleared", "all its tasks run again", cleared),
        ("run-twice", "a minute's DAG run twice at once", "triggered by hand", twice_at_once),
        ("run-retried", "a DAG run's last task retried", "report API away when it publishes", retried),
    ):
        yield Scenario(name, title, story, partial(done_again, again=again))
