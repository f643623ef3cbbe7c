"""Memory of the whole stack, and how long its starts took."""

from __future__ import annotations

from bench.measurements import Figure
from local.start_times import read_start_times
from local.status import stack_status


def measure() -> list[Figure]:
    """Proportional set size of all processes, and the recorded times of `up`."""
    services = stack_status()
    total = sum(service.memory_mb for service in services)
    figures = [Figure("stack", "memory, all services", total, "MiB", "under 4,096", "proportional set size")]
    figures += [
        Figure("stack", f"memory of {service.name}", service.memory_mb, "MiB")
        for service in services
        if service.memory_mb
    ]
    times = read_start_times()
    if times.first is not None:
        figures.append(Figure("stack", "first `up`", times.first, "s", "", "as recorded at that start"))
    if times.latest is not None:
        figures.append(Figure("stack", "second `up`", times.latest, "s", "under 60", "after `down`; as recorded"))
    return figures
