"""Events that came too late for their minute's report: found for the next revision, or kept in the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from clickhouse.queries import load
from clickpulse.errors import TransientError
from clickpulse.windows import MinuteWindow

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

ANY_TIME_LATER = 2**31
"""Minutes: no horizon."""
_IN_FLIGHT = timedelta(minutes=2)
"""An insert's rows have the time of its beginning, and are seen at its end."""


@dataclass(frozen=True)
class LateMinute:
    """A minute with `events` that its last revision doesn't have; `last_arrival` is aware."""

    window: MinuteWindow
    events: int
    by_event_type: dict[str, int]
    last_arrival: datetime

    @property
    def reason(self) -> str:
        """For people; the reason of the next revision."""
        types = ", ".join(f"{name} {count}" for name, count in sorted(self.by_event_type.items()))
        word = "event" if self.events == 1 else "events"
        arrival = self.last_arrival.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return f"{self.events} late {word} ({types}), the last arrived at {arrival}"


class LateEvents:
    """Looks for late events with a ClickHouse client that may write.

    Args:
        client: used by nobody else.
        horizon_minutes: later than this after its minute, an event makes no revision.
    """

    def __init__(self, client: Client, *, horizon_minutes: int) -> None:
        self._client = client
        self._horizon = horizon_minutes

    def scanned_to(self) -> datetime:
        """What arrived before was dealt with; aware. Raises `TransientError`, as all others."""
        with _answered():
            found: datetime = self._client.query(load("scanned_to"), query_tz="UTC", tz_mode="aware").result_rows[0][0]
        return found

    def recent(self, scanned_to: datetime, now: datetime, committed: Mapping[int, int]) -> list[LateMinute]:
        """Minutes with events that arrived since `scanned_to`, within the horizon; as `minutes`."""
        start = scanned_to - timedelta(minutes=self._horizon + 1) - _IN_FLIGHT
        return self.minutes(start, now, committed, horizon_minutes=self._horizon)

    def minutes(
        self, start: datetime, end: datetime, committed: Mapping[int, int], *, horizon_minutes: int = ANY_TIME_LATER
    ) -> list[LateMinute]:
        """Minutes in `[start, end)` with late events, in order.

        Args:
            start: aware.
            end: aware.
            committed: by Kafka partition, the sink's offset: rows above it belong to a look that comes later.
            horizon_minutes: events that arrived later after their minute are left out.
        """
        parameters = {
            "from": start.strftime("%Y-%m-%d %H:%M:00"),
            "to": end.strftime("%Y-%m-%d %H:%M:00"),
            "partitions": sorted(committed),
            "offsets": [committed[partition] for partition in sorted(committed)],
            "horizon_minutes": horizon_minutes,
        }
        with _answered():
            rows = self._client.query(
                load("late_minutes"), parameters=parameters, query_tz="UTC", tz_mode="aware"
            ).result_rows
        return [LateMinute(MinuteWindow(minute), events, dict(types), last) for minute, events, types, last in rows]

    def exported(self, start: datetime, end: datetime) -> dict[MinuteWindow, int]:
        """The highest exported revision of each minute in `[start, end)` that was exported."""
        parameters = {"from": start.strftime("%Y-%m-%d %H:%M:%S"), "to": end.strftime("%Y-%m-%d %H:%M:%S")}
        with _answered():
            rows = self._client.query(
                load("exported_revisions"), parameters=parameters, query_tz="UTC", tz_mode="aware"
            ).result_rows
        return {MinuteWindow(minute): revision for minute, revision in rows}

    def note(self, since: datetime, until: datetime, *, filled_from: datetime) -> None:
        """Put into the ledger what arrived in `[since, until)` and will be in no report, and remember `until`.

        Repeating it adds nothing: a row's place is its Kafka position.

        Args:
            since: aware; where the last call ended.
            until: aware.
            filled_from: minutes before this that were never reported are nobody's business any more.
        """
        parameters = {
            "since": _moment(since - _IN_FLIGHT),
            "until": _moment(until),
            "filled_from": filled_from.strftime("%Y-%m-%d %H:%M:%S"),
            "horizon_minutes": self._horizon,
        }
        with _answered():
            self._client.command(load("note_late"), parameters=parameters)
            self._client.insert("late_scans", [[until]], column_names=["scanned_to"])


def _moment(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


@contextmanager
def _answered() -> Iterator[None]:
    from clickhouse_connect.driver.exceptions import Error

    try:
        yield
    except Error as error:
        raise TransientError(f"looking for late events in ClickHouse: {error}") from error
