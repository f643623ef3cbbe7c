"""Light simulated traffic, so that there is something to see."""

from __future__ import annotations

from local.services.base import Service, Stack, python_module

NAME = "traffic"


def services(stack: Stack) -> list[Service]:
    if not stack.local.traffic:
        return []
    return [
        Service(
            name=NAME,
            title="Simulated traffic",
            command=python_module("clickpulse", "simulate", "--rate", f"{stack.local.traffic_rate:g}", "--quiet"),
            probe=lambda: None,  # the supervisor knows whether it runs; it has no port
            needs=("kafka", "registry"),
            stop_seconds=20,
        )
    ]
