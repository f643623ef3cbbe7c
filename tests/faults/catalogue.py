"""Every scenario there is."""

from __future__ import annotations

from tests.faults.scenario import Scenario
from tests.faults.scenarios import dag_runs, disks, messages, network, processes, schema_changes

ALL: tuple[Scenario, ...] = tuple(
    scenario
    for module in (processes, network, disks, messages, schema_changes, dag_runs)
    for scenario in module.scenarios()
)

BY_NAME = {scenario.name: scenario for scenario in ALL}
