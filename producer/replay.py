"""`clickpulse replay`: recorded clickstreams, mapped, brought into order of time, and delivered."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from pathlib import Path

from clickpulse.future import FutureLimit
from clickpulse.settings import SinkSettings
from producer.files import find_files
from producer.interaction import Interaction
from producer.mapping import load_mapping
from producer.pacing import MAX_CATCH_UP_MS, Pacer, wall_clock_ms
from producer.progress import Display
from producer.recording import RecordedRow, Recording
from producer.rejects import Rejects
from producer.run import Run, producing
from producer.sorting import Sorter
from producer.summary import Summary, print_summary
from producer.timeline import Anchor, Timeline, parse_at, parse_speed

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:clickpulse:replayed-event")
_SEPARATOR = "\x1f"
_SHOW_EVERY = 1000


def event_id(mapping_name: str, file: str, line: int, anchor: Anchor) -> str:
    """The same for the same line replayed with the same mapping at the same time, so that it counts once."""
    base = "original" if anchor.base_ms is None else str(anchor.base_ms)
    return str(uuid.uuid5(_NAMESPACE, _SEPARATOR.join((mapping_name, file, str(line), base))))


@dataclass
class Replay:
    """Sends the rows of a recording.

    Args:
        run: delivery and account.
        recording: names the files.
        mapping_name: part of the ids.
        anchor, speed: see `producer.timeline`.
    """

    run: Run
    recording: Recording
    mapping_name: str
    anchor: Anchor
    speed: float

    def send(self, rows: Iterator[RecordedRow]) -> None:
        """Send rows that are in order of time, each when it is due, until the last one or until the end is requested.

        Raises:
            ConfigurationError, TransientError: from the delivery.
        """
        start_ms = int(wall_clock_ms())
        if self.anchor.is_now:
            self.anchor = Anchor(self.anchor.label, start_ms)
        pacer = Pacer(start_ms, max_catch_up_ms=inf if self.speed == inf else MAX_CATCH_UP_MS)
        timeline: Timeline | None = None
        for row in rows:
            if timeline is None:
                timeline = Timeline(self.anchor, self.speed, row.time_ms, start_ms)
            offset = timeline.send_offset_ms(row.time_ms)
            if not self.run.due(pacer, offset):
                return
            time_ms = timeline.event_ms(row.time_ms)
            if time_ms is None:
                time_ms = pacer.stamp_now()
            elif self.anchor.is_now:
                time_ms = pacer.stamp(offset)
            self.run.delivery.send(self._event(row, time_ms))

    def _event(self, row: RecordedRow, time_ms: int) -> Interaction:
        identity = event_id(self.mapping_name, self.recording.names[row.file], row.line, self.anchor)
        _recorded_ms, user_id, session_id, event_type, latency, status, code, product = row.mapped
        return Interaction(identity, user_id, session_id, event_type, time_ms, latency, status, code, product)


def command(
    *,
    patterns: list[str],
    mapping_path: Path,
    at: str,
    speed: str,
    in_order: bool,
    rejects_path: Path | None,
    summary_path: Path | None,
    as_json: bool,
    quiet: bool,
) -> bool:
    """Run `clickpulse replay`; true if all files were readable, something fitted, and all of it was delivered.

    Raises:
        ConfigurationError: an argument, the mapping, a setting or the schema is wrong.
        TransientError: Kafka or the registry does not answer.
    """
    now_ms = int(wall_clock_ms())
    anchor, pace = parse_at(at, now_ms), parse_speed(speed)
    mapping, paths = load_mapping(mapping_path), find_files(patterns)
    # With --at every row is moved, and none is sent before its own time.
    future = FutureLimit(SinkSettings.load().max_future_seconds) if anchor.base_ms is None else None
    display = Display(wanted=not quiet and not as_json)
    with Rejects(rejects_path) as rejects:
        recording = Recording(paths, mapping, rejects, future=future)

        def details() -> Summary:
            return {
                "mapping": mapping.name,
                "at": anchor.label,
                "speed": speed,
                "files": len(paths),
                "rows_read": recording.rows_read,
                "rejected": rejects.count,
                "bad_files": recording.bad_files,
            }

        with producing("replay", details=details, summary_path=summary_path, display=display, keep_minutes=None) as run:
            replay = Replay(run, recording, mapping.name, anchor, pace)
            if in_order:
                display.stage("sending")
                replay.send(recording.rows_in_order())
            else:
                _sort_and_send(replay, display)
        if not quiet:
            rejects.show()
    summary = run.summary()
    if as_json or not quiet:
        print_summary(summary, as_json=as_json)
    return run.delivered_all and not recording.bad_files and summary["generated"] > 0


def _sort_and_send(replay: Replay, display: Display) -> None:
    run, recording = replay.run, replay.recording
    with Sorter() as sorter:
        display.stage(f"reading {len(recording.names)} files")
        for row in recording.rows():
            sorter.add(row)
            if sorter.count % _SHOW_EVERY == 0:
                display.update(sorter.count)
                run.account.update()
                if run.stop.requested():
                    return
        display.stage("sending", total=sorter.count)
        replay.send(sorter.sorted())
