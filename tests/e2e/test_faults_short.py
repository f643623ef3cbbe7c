"""A part of the fault suite that fits into every test run: several faults at once, and one account of all events."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.canary import Search, needles
from tests.faults.catalogue import BY_NAME
from tests.faults.runner import run
from tests.faults.scenario import Course, Lab, Scenario
from tests.faults.scenarios import messages
from tests.faults.services import Services
from tests.faults.traffic import Ledger, Traffic
from tests.support import external, wait_for_a_minute_of_its_own

FROZEN_SECONDS = 8
RATE = 50
TOGETHER = ("kill-report-api", "garbage", "future", "run-twice")


@contextmanager
def several(lab: Lab, course: Course) -> Iterator[None]:
    """One after the other, S3 frozen in the end; the traffic goes on."""
    for name in TOGETHER:
        with BY_NAME[name].strike(lab, course):
            lab.services.wait_until_healthy(BY_NAME[name].healthy_seconds)
    with BY_NAME["freeze-s3"].strike(lab, course):
        yield


@pytest.fixture
def lab(stack: Path, tmp_path: Path) -> Iterator[Lab]:
    if external():
        pytest.skip("the services run elsewhere: their processes are not this test's to break")
    from clickpulse.settings import creds_dir

    ledger = Ledger()
    running = Lab(stack, tmp_path, Services(), Traffic(tmp_path, RATE, ledger), ledger, Search(needles(creds_dir())))
    yield running
    running.traffic.kill()


@pytest.mark.timeout(600)
def test_several_faults_lose_nothing_and_count_nothing_twice(lab: Lab) -> None:
    wait_for_a_minute_of_its_own()
    faults = Scenario(
        "several", "several faults", "", several, seconds=FROZEN_SECONDS, verify=messages.reasons_are_told
    )
    row = run(faults, lab)
    assert row.passed, "\n".join(row.problems)
    assert (row.lost, row.duplicated) == (0, 0)
    assert row.at_risk > RATE
    assert len(row.refused) == len({text.split(":")[0] for text in row.refused}), "one reason for each class"
