"""A first rule for what is unusual in a minute: pure code on counts, no Spark, no clock.

The minute is compared with the recent past of the same event type, its *baseline*. Three metrics:

- **error rate**: with `p` the baseline's pooled rate (Jeffreys' estimate `(errors + ½) / (events + 1)`,
  never 0) and `c = p + error_rate_margin`, the rate of `n` events is high above
  `c + error_rate_z · √(c(1 - c)/n)`. That is the same as: the lower end of Wilson's score interval
  around the minute's rate lies above `c` (Wilson, 1927), so few events need a larger excess.
- **latency p95**: high above `median + spreads · spread`, the spread being
  `1.4826 · MAD` of the baseline's p95 (the standard deviation, were it normal; Iglewicz and
  Hoaglin, 1993), at least `latency_floor_share` of the median and at least `latency_floor_ms`;
  wider by `√(median events / events)` when the minute has fewer events than usual.
- **events**: low or high outside `median ± spreads · spread`, the spread being `1.4826 · MAD`, at
  least `volume_floor_share` of the median and at least `√median` (the spread of a Poisson count).

Nothing is judged with fewer than `minimum_minutes` minutes of baseline. Traffic seldom starts on a
whole minute: a minute with events right after one without is partial, so its volume isn't judged
and it's no part of a baseline. A minute is critical when it lies twice as far out as the bound.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Literal

from clickpulse.events import EventType
from clickpulse.reports import Anomaly, Detector, EventTypeStats
from clickpulse.windows import MINUTE, MinuteWindow

MAD_TO_SIGMA = 1.4826
"""The standard deviation of a normal distribution in units of its median absolute deviation."""

Metric = Literal["error_rate", "latency_p95_ms", "events"]


@dataclass(frozen=True)
class BaselineMinute:
    """One event type in one minute of the past. `minute` is aware, UTC; latency in milliseconds."""

    minute: datetime
    event_type: EventType
    events: int
    errors: int
    latency_p95_ms: float | None


@dataclass(frozen=True)
class RuleParameters:
    """The rule's numbers; they're published with each report."""

    minimum_minutes: int = 5
    minimum_events: int = 30
    minimum_errors: int = 5
    error_rate_margin: float = 0.01
    error_rate_z: float = 4.0
    spreads: float = 5.0
    latency_floor_share: float = 0.1
    latency_floor_ms: float = 5.0
    volume_floor_share: float = 0.1


@dataclass(frozen=True)
class Detection:
    """What a detector found, and which detector that was."""

    anomalies: list[Anomaly]
    detector: Detector


def detect(
    window: MinuteWindow,
    by_event_type: Mapping[EventType, EventTypeStats],
    baseline: Sequence[BaselineMinute],
    rule: RuleParameters | None = None,
    *,
    partial: bool = False,
) -> Detection:
    """Compare one minute with the minutes before it.

    `partial` says that events of the minute are known to be missing, so its volume isn't judged.
    Baseline minutes that aren't before `window` are left out, so the result never depends on what
    came later. The order of `baseline` doesn't matter. Anomalies come sorted by event type and metric.
    """
    rule = rule or RuleParameters()
    past = _Past.of(baseline, window)
    detector = Detector(
        name="robust-threshold",
        version="1",
        parameters={name: float(value) for name, value in asdict(rule).items()},
        baseline_minutes=len(past.minutes),
    )
    if len(past.minutes) < rule.minimum_minutes:
        return Detection([], detector)
    anomalies: list[Anomaly] = []
    for event_type in sorted(by_event_type):
        stats = by_event_type[event_type]
        found = (
            _error_rate(event_type, stats, past, rule),
            None if partial else _volume(event_type, stats, past, rule),
            _latency(event_type, stats, past, rule),
        )
        anomalies.extend(anomaly for anomaly in found if anomaly)
    return Detection(anomalies, detector)


@dataclass(frozen=True)
class _Past:
    """The baseline by minute; `minutes` are those that had events, without partial ones."""

    minutes: list[datetime]
    rows: dict[tuple[datetime, EventType], BaselineMinute]
    starts: bool
    """The minute before the window had no events: the window may be partial."""

    @classmethod
    def of(cls, baseline: Sequence[BaselineMinute], window: MinuteWindow) -> _Past:
        rows = {(row.minute, row.event_type): row for row in baseline if row.minute < window.start and row.events}
        active = {minute for minute, _ in rows}
        whole = sorted(minute for minute in active if minute - MINUTE in active)
        return cls(whole, rows, window.previous.start not in active)

    def of_type(self, event_type: EventType) -> list[BaselineMinute]:
        """One row per minute, with zero events where the type had none."""
        nothing = BaselineMinute(datetime.min, event_type, 0, 0, None)  # noqa: DTZ901 - replaced below
        return [self.rows.get((minute, event_type), replace(nothing, minute=minute)) for minute in self.minutes]


def _error_rate(event_type: EventType, stats: EventTypeStats, past: _Past, rule: RuleParameters) -> Anomaly | None:
    if stats.events < rule.minimum_events or stats.errors < rule.minimum_errors or stats.error_rate is None:
        return None
    rows = past.of_type(event_type)
    usual = (sum(row.errors for row in rows) + 0.5) / (sum(row.events for row in rows) + 1)
    tolerated = min(usual + rule.error_rate_margin, 1.0)
    upper = tolerated + rule.error_rate_z * math.sqrt(tolerated * (1 - tolerated) / stats.events)
    if stats.error_rate <= upper:
        return None
    return _anomaly(
        event_type,
        "error_rate",
        value=stats.error_rate,
        expected=usual,
        upper=upper,
        spread=math.sqrt(usual * (1 - usual) / stats.events),
        message=f"{event_type}: error rate {stats.error_rate:.1%} ({stats.errors} of {stats.events} events), "
        f"usually {usual:.1%}, at most {upper:.1%} is expected",
    )


def _latency(event_type: EventType, stats: EventTypeStats, past: _Past, rule: RuleParameters) -> Anomaly | None:
    rows = [row for row in past.of_type(event_type) if row.events and row.latency_p95_ms is not None]
    if stats.latency_ms is None or stats.events < rule.minimum_events or len(rows) < rule.minimum_minutes:
        return None
    quantiles = [row.latency_p95_ms for row in rows if row.latency_p95_ms is not None]
    usual = statistics.median(quantiles)
    spread = max(_robust_sigma(quantiles), rule.latency_floor_share * usual, rule.latency_floor_ms)
    spread *= math.sqrt(max(1.0, statistics.median(row.events for row in rows) / stats.events))
    upper = usual + rule.spreads * spread
    if stats.latency_ms.p95 <= upper:
        return None
    return _anomaly(
        event_type,
        "latency_p95_ms",
        value=stats.latency_ms.p95,
        expected=usual,
        upper=upper,
        spread=spread,
        message=f"{event_type}: 95th percentile of latency {stats.latency_ms.p95:.0f} ms, "
        f"usually {usual:.0f} ms, at most {upper:.0f} ms is expected",
    )


def _volume(event_type: EventType, stats: EventTypeStats, past: _Past, rule: RuleParameters) -> Anomaly | None:
    if past.starts and stats.events:
        return None
    counts = [float(row.events) for row in past.of_type(event_type)]
    usual = statistics.median(counts)
    spread = max(_robust_sigma(counts), rule.volume_floor_share * usual, math.sqrt(usual), 1.0)
    lower = usual - rule.spreads * spread
    upper = max(usual + rule.spreads * spread, float(rule.minimum_events))
    if lower <= stats.events <= upper:
        return None
    return _anomaly(
        event_type,
        "events",
        value=stats.events,
        expected=usual,
        lower=lower if lower > 0 else None,
        upper=upper,
        spread=spread,
        message=f"{event_type}: {stats.events} events, usually {usual:.0f}, "
        f"between {max(lower, 0):.0f} and {upper:.0f} are expected",
    )


def _anomaly(
    event_type: EventType,
    metric: Metric,
    *,
    value: float,
    expected: float,
    spread: float,
    message: str,
    upper: float,
    lower: float | None = None,
) -> Anomaly:
    high = value > expected
    bound = upper if high or lower is None else lower
    return Anomaly(
        event_type=event_type,
        metric=metric,
        direction="high" if high else "low",
        severity="critical" if abs(value - expected) >= 2 * abs(bound - expected) else "warning",
        value=_rounded(value),
        expected=_rounded(expected),
        lower=None if lower is None else _rounded(lower),
        upper=_rounded(upper),
        score=_rounded((value - expected) / spread),
        message=message,
    )


def _robust_sigma(values: Sequence[float]) -> float:
    middle = statistics.median(values)
    return MAD_TO_SIGMA * statistics.median(abs(value - middle) for value in values)


def _rounded(value: float) -> float:
    """Six decimals: enough for a rate, short enough to read."""
    return round(value, 6)
