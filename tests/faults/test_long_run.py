"""Traffic for an hour, a fault about every two minutes: `clickpulse test faults --hours 1 --rate 500 --seed 7`."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.machine import describe
from tests.faults import results
from tests.faults.long_run import State, asked_minutes, execute
from tests.faults.scenario import Lab

STATE = "long-run.json"


@pytest.mark.timeout(0)
def test_everything_adds_up_after_a_long_run(
    lab: Lab, results_file: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    config = request.config
    file = lab.folder / STATE
    fresh = State(
        seed=config.getoption("--seed"),
        minutes=asked_minutes(config.getoption("--hours"), config.getoption("--minutes")) or 0,
        rate=config.getoption("--rate"),
        first_summary=lab.traffic.runs + 1,
    )
    state = State.open(file, fresh, resume=config.getoption("--resume"))

    def report(text: str) -> None:
        with capsys.disabled():
            print(text, flush=True)  # noqa: T201 - an hour is long

    try:
        row = execute(lab, state, file, report)
    finally:
        lab.traffic.kill()
    row.machine = describe()
    results.append(results_file, row.as_json())
    report(f"{row.fault}: {row.happened}; {row.at_risk} events, {row.lost} lost, {row.duplicated} counted twice")
    assert row.passed, "\n".join(row.problems)
    assert (row.lost, row.duplicated) == (0, 0)
