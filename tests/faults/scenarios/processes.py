"""Each component killed, frozen and restarted, and five of them away for two minutes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from tests.faults.scenario import Course, Lab, Scenario
from tests.support import run_clickpulse

COMPONENTS = (
    "kafka",
    "registry",
    "postgres",
    "s3",
    "clickhouse",
    "sink",
    "spark",
    "airflow-scheduler",
    "airflow-dag-processor",
    "airflow-api",
    "report-api",
    "dashboard",
)
"""Every service of the stack but the traffic itself."""

FROZEN_SECONDS = 30
OUTAGES = ("clickhouse", "s3", "registry", "report-api", "postgres")
OUTAGE_SECONDS = 120
RESTART_SECONDS = 300


@contextmanager
def killed(lab: Lab, course: Course, name: str) -> Iterator[None]:
    course.ended_at = time.time()
    lab.services.kill(name)
    course.note(f"another process after {time.time() - course.ended_at:.1f} s")
    yield


@contextmanager
def frozen(lab: Lab, course: Course, name: str) -> Iterator[None]:
    del course
    with lab.services.frozen(name):
        yield


@contextmanager
def restarted(lab: Lab, course: Course, name: str) -> Iterator[None]:
    course.ended_at = time.time()
    output = run_clickpulse("restart", name, timeout=RESTART_SECONDS)
    course.note(f"the command took {time.time() - course.ended_at:.0f} s")
    (lab.folder / f"restart-{name}.log").write_text(output)
    yield


@contextmanager
def stopped(lab: Lab, course: Course, name: str) -> Iterator[None]:
    del course
    with lab.services.stopped(name):
        yield


def scenarios() -> Iterator[Scenario]:
    for name in COMPONENTS:
        yield Scenario(
            name=f"kill-{name}",
            title=f"`kill -9` of {name}",
            story="the supervisor starts it again",
            strike=partial(killed, name=name),
        )
    for name in COMPONENTS:
        yield Scenario(
            name=f"freeze-{name}",
            title=f"SIGSTOP of {name} for {FROZEN_SECONDS} s",
            story="it and what it started stand still, connections stay open",
            strike=partial(frozen, name=name),
            seconds=FROZEN_SECONDS,
        )
    for name in COMPONENTS:
        yield Scenario(
            name=f"restart-{name}",
            title=f"`clickpulse restart {name}`",
            story="stopped and started in order",
            strike=partial(restarted, name=name),
        )
    for name in OUTAGES:
        yield Scenario(
            name=f"down-{name}",
            title=f"{name} down for {OUTAGE_SECONDS // 60} minutes",
            story="stopped, connections refused",
            strike=partial(stopped, name=name),
            seconds=OUTAGE_SECONDS,
        )
