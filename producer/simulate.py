"""`clickpulse simulate`: simulated traffic, paced and delivered."""

from __future__ import annotations

import secrets
from math import inf
from pathlib import Path

from producer.incidents import Incident, parse
from producer.pacing import Pacer, wall_clock_ms
from producer.progress import Display
from producer.run import Run, producing
from producer.simulator import Simulator
from producer.summary import print_summary
from producer.tally import WEEK_OF_MINUTES


def simulate(run: Run, simulator: Simulator, pacer: Pacer, *, duration_seconds: float | None) -> None:
    """Send the shop's events when they are due, until the duration is over or the end is requested.

    Raises:
        ConfigurationError, TransientError: from the delivery.
    """
    duration_ms = inf if duration_seconds is None else duration_seconds * 1000
    send = run.delivery.send
    for offset, event in simulator.events():
        if offset >= duration_ms or not run.due(pacer, offset):
            break
        stamp = pacer.stamp(offset)
        send(event if stamp == event.event_timestamp else event._replace(event_timestamp=stamp))


def command(
    *,
    rate: float,
    duration_seconds: float | None,
    seed: int | None,
    flat: bool,
    incident_texts: list[str],
    summary_path: Path | None,
    as_json: bool,
    quiet: bool,
) -> bool:
    """Run `clickpulse simulate`; true if every event was acknowledged or dead-lettered.

    Raises:
        ConfigurationError: an argument, a setting or the schema is wrong.
        TransientError: Kafka or the registry does not answer.
    """
    _read(incident_texts, int(wall_clock_ms()))  # a mistake is told before anything is started
    seed = secrets.randbits(32) if seed is None else seed
    details = {"rate": rate, "seed": seed, "flat": flat, "incidents": incident_texts}
    display = Display(wanted=not quiet and not as_json)
    with producing(
        "simulate", details=lambda: details, summary_path=summary_path, display=display, keep_minutes=WEEK_OF_MINUTES
    ) as run:
        # Connecting may have taken a while; minutes of incidents count from here.
        start_ms = int(wall_clock_ms())
        simulator = Simulator(rate, start_ms, seed=seed, flat=flat, incidents=_read(incident_texts, start_ms))
        display.stage(f"simulating {rate:g} events/s")
        simulate(run, simulator, Pacer(start_ms), duration_seconds=duration_seconds)
    if as_json or not quiet:
        print_summary(run.summary(), as_json=as_json)
    return run.delivered_all


def _read(incident_texts: list[str], start_ms: int) -> list[Incident]:
    return [parse(text, start_ms) for text in incident_texts]
