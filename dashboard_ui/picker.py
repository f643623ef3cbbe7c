"""Which minute the reader looks at."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from clickpulse.errors import ConfigurationError
from clickpulse.windows import MinuteWindow
from dashboard_ui.data import Hour

LATEST = "Latest"


def minute_options(live: Hour, selected: str | None) -> list[str]:
    """Latest, the minutes of the hour, newest first, and what is selected where that is older."""
    options = [LATEST, *(str(MinuteWindow(report.window)) for report in live.reports)]
    return options if not selected or selected in options else [*options, selected]


def picked_minute(text: str | None, now: datetime) -> MinuteWindow | None:
    """The minute that the text means; None is the latest.

    `10:05` is the last such time of day that has begun. `ConfigurationError` says how to write it.
    """
    if text is None or text == LATEST:
        return None
    cleaned = text.strip().removesuffix("UTC").strip()
    if match := re.fullmatch(r"(\d{1,2}):(\d{2})Z?", cleaned):
        hour, minute = int(match[1]), int(match[2])
        if hour < 24 and minute < 60:  # noqa: PLR2004
            today = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
            return MinuteWindow(today if today <= now else today - timedelta(days=1))
    try:
        return MinuteWindow.parse(cleaned)
    except OverflowError:
        raise ConfigurationError(f"window {cleaned!r} is out of range") from None
