"""`clickpulse reconcile` in Airflow's worker, which reaches all that it asks."""

from __future__ import annotations

from typing import Any

from clickpulse.windows import MinuteWindow
from tests.docker.deployment import Deployment
from tests.docker.simulation import last_json


def account(deployment: Deployment, first: MinuteWindow, end: MinuteWindow) -> dict[str, Any]:
    """The account of the minutes from `first` to before `end`, which has to add up."""
    done = deployment.run_in("airflow-worker", "clickpulse", "reconcile", f"{first}", f"{end}", "--json")
    assert done.status == 0, done.said
    return last_json(done.said)
