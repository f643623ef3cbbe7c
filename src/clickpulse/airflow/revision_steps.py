"""The first and the last step of the runs that repair and revise reports; those in between are in `steps.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from clickpulse.airflow.steps import Batch, batch
from clickpulse.clients import clickhouse_client, report_reader
from clickpulse.completeness import KafkaOffsets, WindowCompleteness, assess_windows, kafka_offsets
from clickpulse.errors import ConfigurationError
from clickpulse.revision_plan import Assess, Known, Planned, Published, due_windows, repairs, scored_anew
from clickpulse.settings import (
    ClickHouseSettings,
    KafkaSettings,
    ReportReaderSettings,
    ReportSettings,
    S3Settings,
    SinkSettings,
)
from clickpulse.windows import MinuteWindow

if TYPE_CHECKING:
    from clickhouse.late import LateEvents, LateMinute

RANGE_MINUTES = 120
"""Of one run: what is left is for the next."""
_THREADS = 8
log = structlog.get_logger()


def plan_repairs() -> Batch:
    """Minutes without a report, with an incomplete one, and with events that came late: the revisions to make now.

    `scanned_to` in the result says up to which arrival late events were looked for; None: not all were dealt with.
    """
    settings, now = ReportSettings.load(), datetime.now(UTC)
    filled_from = _filled_from(settings, now)
    with _late_events(settings) as late_events:
        offsets = _offsets()
        committed = _committed(offsets, now)
        late = late_events.recent(late_events.scanned_to(), now, committed)
        windows = due_windows(filled_from, now, now)
        start = min([filled_from, *(minute.window.start for minute in late)])
        known = _known(late_events, settings, now, (start, now), late)
    asked = sorted({*windows, *(minute.window for minute in late if minute.window in known.published)})
    planned = repairs(asked, known, _assess(offsets), limit=RANGE_MINUTES)
    scanned_to = now if len(planned) < RANGE_MINUTES else None
    return _fixed(planned) | {"scanned_to": scanned_to and scanned_to.isoformat()}


def plan_backfill(start: datetime | None, end: datetime | None, asked: Mapping[str, str | None]) -> Batch:
    """The revisions that a range of minutes needs.

    Args:
        start: of the run's data interval, aware.
        end: of the run's data interval, exclusive.
        asked: `from` and `to`, ISO 8601, what of it is wanted, and `reason`. Where `from` is not given the run only
            repairs; where it is, minutes that need nothing are scored anew.
    """
    settings, now = ReportSettings.load(), datetime.now(UTC)
    if start is None or end is None:
        raise ConfigurationError("the run has no data interval: start it with `clickpulse backfill`")
    wanted = asked.get("from") is not None
    if wanted:
        start, end = max(start, _moment(asked, "from")), min(end, _moment(asked, "to"))
    else:
        start = max(start, settings.start)
    if start >= end:
        return batch([])
    windows = due_windows(start, end, now)
    offsets = _offsets()
    with _late_events(settings) as late_events:
        late = late_events.minutes(start, end, _committed(offsets, now))
        known = _known(late_events, settings, now, (start, end), late)
    planned = repairs(windows, known, _assess(offsets), limit=len(windows))
    if wanted:
        needing = {one.revision.window for one in planned}
        rest = [window for window in windows if window not in needing]
        planned += scored_anew(rest, known, asked.get("reason") or "scored anew by a backfill")
    return _fixed(planned)


def note_late(scanned_to: str | None) -> str:
    """Put into the late ledger what arrived up to `scanned_to` and will be in no report; says up to when that is."""
    if scanned_to is None:
        return "minutes are left for the next run"
    settings, until = ReportSettings.load(), datetime.fromisoformat(scanned_to)
    with _late_events(settings) as late_events:
        late_events.note(late_events.scanned_to(), until, filled_from=_filled_from(settings, until))
    return scanned_to


def _filled_from(settings: ReportSettings, now: datetime) -> datetime:
    """Minutes from here on get a report by themselves."""
    lookback = MinuteWindow.containing(now - timedelta(minutes=settings.lookback_minutes)).start
    return max(settings.start, lookback)


def _known(
    late_events: LateEvents,
    settings: ReportSettings,
    now: datetime,
    reach: tuple[datetime, datetime],
    late: Sequence[LateMinute],
) -> Known:
    """About the minutes in `reach`, half-open."""
    from clickpulse.stored_reports import report_summaries

    with report_reader(ReportReaderSettings.load()) as client:
        summaries = report_summaries(client, *reach)
    return Known(
        now=now,
        completeness_timeout=timedelta(seconds=settings.completeness_timeout_seconds),
        published={MinuteWindow(one.window): Published(one.revision, one.complete) for one in summaries},
        exported=late_events.exported(*reach),
        late={minute.window: minute for minute in late},
    )


def _fixed(planned: Sequence[Planned]) -> Batch:
    """Fix the manifests of the revisions that have events of their own."""
    from clickhouse.manifest import Manifest, fix_manifest

    s3 = S3Settings.load()

    def fix(one: Planned) -> None:
        if one.found is not None:
            fix_manifest(s3, Manifest.of(one.revision.objects, one.found, one.revision.reason))

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(fix, planned))
    for one in planned[:RANGE_MINUTES]:
        log.info("planned", window=str(one.revision.window), revision=one.revision.number, reason=one.revision.reason)
    return batch(one.revision for one in planned)


def _offsets() -> KafkaOffsets:
    return kafka_offsets(KafkaSettings.load_for("report"), SinkSettings.load())


def _committed(offsets: KafkaOffsets, now: datetime) -> dict[int, int]:
    views = offsets.look(int(now.timestamp() * 1000))
    return {partition: view.reached for partition, view in views.items()}


def _assess(offsets: KafkaOffsets) -> Assess:
    def assess(windows: Sequence[MinuteWindow]) -> dict[MinuteWindow, WindowCompleteness]:
        return assess_windows(offsets, windows)

    return assess


@contextmanager
def _late_events(settings: ReportSettings) -> Iterator[LateEvents]:
    from clickhouse.late import LateEvents

    client = clickhouse_client(ClickHouseSettings.load())
    try:
        yield LateEvents(client, horizon_minutes=settings.horizon_minutes)
    finally:
        client.close()


def _moment(asked: Mapping[str, str | None], name: str) -> datetime:
    text = asked.get(name)
    if text is None:
        raise ConfigurationError(f"the run's parameter {name} is missing: give from and to, such as 2026-11-22T10:05Z")
    return MinuteWindow.parse(text).start
