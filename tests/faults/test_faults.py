"""Every fault of the catalogue: afterwards no event is lost and none counted twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.machine import describe
from tests.faults import results
from tests.faults.catalogue import ALL
from tests.faults.runner import run
from tests.faults.scenario import Lab, Scenario

ONE_SECONDS = 2400
"""For one scenario, from the traffic's start to the last look; nearly all take two to five minutes."""


@pytest.mark.timeout(ONE_SECONDS)
@pytest.mark.parametrize("scenario", ALL, ids=lambda scenario: scenario.name)
def test_fault(scenario: Scenario, lab: Lab, results_file: Path, request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--resume") and results.passed(results_file, scenario.name):
        pytest.skip(f"has passed before: {results_file}")
    if reason := scenario.missing(lab):
        pytest.skip(reason)
    try:
        row = run(scenario, lab)
    finally:
        lab.traffic.kill()
    row.machine = describe()
    results.append(results_file, row.as_json())
    print(f"\n{row.fault}: {row.happened}; {row.at_risk} at risk, {row.lost} lost, {row.duplicated} twice, "  # noqa: T201
          f"healthy after {row.healthy_after} s, first complete report after {row.first_report_after} s, "
          f"all after {row.all_reports_after} s")  # fmt: skip
    assert row.passed, "\n".join(row.problems)
    assert (row.lost, row.duplicated) == (0, 0)
