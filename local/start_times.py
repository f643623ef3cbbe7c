"""How long the starts of this home's stack took, kept beside it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from clickpulse.settings import home_dir


@dataclass(frozen=True)
class StartTimes:
    """Seconds from the command to everything being ready; a start where nothing had to be started does not count."""

    first: float | None = None
    latest: float | None = None


def _file() -> Path:
    return home_dir() / "start-times.json"


def read_start_times() -> StartTimes:
    """The recorded times; none before the first start."""
    return StartTimes(**json.loads(_file().read_text())) if _file().is_file() else StartTimes()


def record_start_time(seconds: float) -> None:
    """Keep the time of a start: as the first if there is none, else as the latest."""
    known = read_start_times()
    times = StartTimes(seconds) if known.first is None else StartTimes(known.first, seconds)
    _file().write_text(json.dumps(asdict(times)))
