"""Figures and times as the page writes them. Times are UTC; an unknown figure is a dash."""

from __future__ import annotations

from datetime import UTC, datetime

from clickpulse.events import EventType

NOTHING = "–"  # noqa: RUF001  # an en dash is what tables use for "no value"

LABELS = {
    EventType.SEARCH: "Search",
    EventType.VIEW_PRODUCT: "View product",
    EventType.ADD_TO_CART: "Add to cart",
    EventType.CHECKOUT: "Checkout",
    EventType.PAYMENT: "Payment",
}
"""Names for people, in the order in which a visitor walks the shop."""

METRICS = {"error_rate": "error rate", "latency_p95_ms": "p95 latency", "events": "number of events"}


def number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:,.0f}"


def percent(rate: float | None) -> str:
    return NOTHING if rate is None else f"{rate:.2%}"


def milliseconds(value: float | None) -> str:
    return NOTHING if value is None else f"{value:,.0f} ms"


def seconds(value: float | None) -> str:
    """A short time, to a tenth of a second: a stage's share of the way."""
    if value is None:
        return NOTHING
    return f"{value:.1f} s" if abs(value) < 100 else duration(value)  # noqa: PLR2004


def duration(value: float) -> str:
    """A time for people: `42 s`, `3 min 20 s`, `2 h 5 min`, `4 days`."""
    whole = max(0, round(value))
    minutes, rest = divmod(whole, 60)
    hours, left = divmod(minutes, 60)
    days = hours // 24
    if not minutes:
        return f"{rest} s"
    if not hours:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    if days < 2:  # noqa: PLR2004
        return f"{hours} h {left} min" if left else f"{hours} h"
    return f"{days} days"


def clock(moment: datetime, *, with_seconds: bool = False) -> str:
    return moment.astimezone(UTC).strftime("%H:%M:%S" if with_seconds else "%H:%M")


def metric_value(metric: str, value: float | None) -> str:
    """An anomaly's figure in its metric's unit."""
    formats = {"error_rate": percent, "latency_p95_ms": milliseconds}
    return formats.get(metric, number)(value)


def sentence(text: str) -> str:
    """The text as a sentence: a capital letter first, a full stop last. Addresses keep their form."""
    begun = text if "://" in text.partition(" ")[0] else text[:1].upper() + text[1:]
    return begun if not begun or begun.endswith((".", "!", "?")) else f"{begun}."


def listing(names: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else ""
