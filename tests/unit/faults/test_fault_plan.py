"""The catalogue and the long run's plan: complete, repeatable, and gone on with where it was interrupted."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from local.services import Stack, all_services
from local.settings import LocalSettings
from tests.faults.catalogue import ALL, BY_NAME
from tests.faults.long_run import EVERY_SECONDS, State, asked_minutes, candidates, plan, summaries
from tests.faults.scenarios import disks
from tests.faults.scenarios.processes import COMPONENTS


def test_names_are_unique_and_every_component_is_killed_frozen_and_restarted() -> None:
    assert [name for name, count in Counter(one.name for one in ALL).items() if count > 1] == []
    for component in COMPONENTS:
        assert {f"kill-{component}", f"freeze-{component}", f"restart-{component}"} <= BY_NAME.keys()
    assert {f"down-{name}" for name in ("clickhouse", "s3", "registry", "report-api", "postgres")} <= BY_NAME.keys()


def test_the_components_are_all_services_of_the_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKPULSE_CREDS_DIR", str(tmp_path))
    (tmp_path / "s3.creds").write_text("S3_ACCESS_KEY=a\nS3_SECRET_KEY=b\n")
    stack = Stack(LocalSettings.load(traffic=False, sink="embedded"), {}, "postgresql://nobody@127.0.0.1:1/postgres")
    assert {service.name for service in all_services(stack)} == set(COMPONENTS)


def test_the_same_seed_gives_the_same_faults() -> None:
    names = sorted(candidates())
    assert plan(7, 60, names) == plan(7, 60, list(reversed(names)))
    assert plan(7, 60, names) != plan(8, 60, names)
    assert len(plan(7, 60, names)) == 29
    assert len(plan(7, 3, names)) == 1


def test_every_fault_of_the_long_run_is_over_before_the_next_is_due() -> None:
    assert all(one.seconds < EVERY_SECONDS for one in candidates().values())
    assert not any(name in candidates() for name in ("garbage", "run-twice"))


def test_the_length_is_given_in_hours_or_minutes() -> None:
    assert asked_minutes(None, None) is None
    assert asked_minutes(1, None) == 60
    assert asked_minutes(0.5, 10) == 40


def test_an_interrupted_run_goes_on_and_another_one_does_not(tmp_path: Path) -> None:
    file = tmp_path / "long-run.json"
    state = State(seed=7, minutes=60, rate=500, first_summary=4)
    state.done.append({"name": "kill-sink"})
    state.write(file)
    fresh = State(seed=7, minutes=60, rate=500, first_summary=9)
    gone_on = State.open(file, fresh, resume=True)
    assert (gone_on.done, gone_on.first_summary) == ([{"name": "kill-sink"}], 4)
    assert State.open(file, fresh, resume=False) is fresh
    with pytest.raises(AssertionError, match="another run"):
        State.open(file, State(seed=8, minutes=60, rate=500), resume=True)


def test_the_account_is_of_all_parts_of_an_interrupted_run(tmp_path: Path) -> None:
    for number, counts in (
        (1, {"2026-11-22T10:00Z": 99}),
        (2, {"2026-11-22T10:05Z": 5}),
        (3, {"2026-11-22T10:05Z": 2}),
    ):
        file = tmp_path / f"traffic-{number:03}.json"
        file.write_text(json.dumps({"acknowledged_per_minute": counts}))
    assert summaries(tmp_path, first=2) == {"2026-11-22T10:05Z": 7}


@pytest.mark.parametrize(("free", "steps"), [(0, 0), (1000, 1)])
def test_a_ballast_takes_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, steps: int) -> None:
    left = iter([free, *[0] * 5])
    monkeypatch.setattr(disks, "free_bytes", lambda _folder: next(left))
    assert disks.fill(tmp_path / "ballast") == free * steps
