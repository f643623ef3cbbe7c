"""A run over a bucket in memory: what it asks, how far it goes, and that a second one goes on."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from clickpulse.objects import WindowObjects
from clickpulse.retention.bucket import Kind
from clickpulse.retention.expire import expire_objects
from clickpulse.retention.logs import remove_logs
from clickpulse.retention.plan import Counting, Reason, Rules, StoredObject
from clickpulse.windows import MINUTE, MinuteWindow

NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)
DAY = timedelta(days=1)
RULES = Rules(minutes=30 * DAY, old_revisions=7 * DAY, reports=400 * DAY, protected=1500 * MINUTE)


class Memory:
    """Objects in memory; the reports among them name what `names` says."""

    def __init__(self) -> None:
        self.kept: dict[str, StoredObject] = {}
        self.names: dict[str, frozenset[str]] = {}
        self.deletes: list[int] = []

    def put(self, window: MinuteWindow, revision: int, days_ago: float, *, of: int | None = None) -> None:
        """A revision with a report; with `of`, made of the events of that revision."""
        names, base = WindowObjects(window, revision), WindowObjects(window, revision if of is None else of)
        keys = [names.report] if of is not None else [names.manifest, names.events, names.baseline, names.report]
        for key in keys:
            self.kept[key] = StoredObject(key, 10, NOW - days_ago * DAY)
        self.names[names.report] = frozenset({base.events, base.baseline})

    def dates(self, kind: Kind) -> list[date]:
        return sorted({date.fromisoformat(key.split("/")[1].removeprefix("date=")) for key in self._of(kind)})

    def objects(self, kind: Kind, day: date) -> list[StoredObject]:
        return [self.kept[key] for key in self._of(kind) if f"/date={day}/" in key]

    def inputs(self, key: str) -> frozenset[str] | None:
        return self.names[key] if key in self.kept else None

    def remove(self, keys: Sequence[str]) -> None:
        self.deletes.append(len(keys))
        for key in keys:
            del self.kept[key]

    def _of(self, kind: Kind) -> list[str]:
        return sorted(key for key in self.kept if key.startswith(f"{kind}/"))


class Api:
    """The revisions that count, and the days that were asked for."""

    def __init__(self) -> None:
        self.counting: dict[MinuteWindow, Counting] = {}
        self.asked: list[date] = []

    def __call__(self, start: datetime, end: datetime) -> Mapping[MinuteWindow, Counting]:
        assert end - start == DAY
        self.asked.append(start.date())
        return {window: one for window, one in self.counting.items() if start <= window.start < end}


def minute(days_ago: float, number: int = 0) -> MinuteWindow:
    return MinuteWindow(MinuteWindow.containing(NOW - days_ago * DAY).start + number * MINUTE)


@pytest.fixture
def store() -> Memory:
    return Memory()


@pytest.fixture
def api() -> Api:
    return Api()


def test_only_days_with_several_revisions_are_asked_for(store: Memory, api: Api) -> None:
    store.put(minute(20), 0, 20)
    revised = minute(15)
    store.put(revised, 0, 15)
    store.put(revised, 1, 14)
    api.counting[revised] = Counting(1, NOW - 14 * DAY)

    expired = expire_objects(store, api, RULES, NOW, most=1000)

    assert api.asked == [revised.start.date()]
    assert expired.objects == {Reason.OLD_REVISIONS: 2}
    assert expired.bytes == {Reason.OLD_REVISIONS: 20}
    assert not expired.more
    assert len(store.kept) == 10


def test_what_was_scored_anew_keeps_its_events(store: Memory, api: Api) -> None:
    window = minute(15)
    store.put(window, 0, 15)
    store.put(window, 1, 14, of=0)
    api.counting[window] = Counting(1, NOW - 14 * DAY)

    expire_objects(store, api, RULES, NOW, most=1000)

    names = WindowObjects(window, 0)
    both = {names.report, WindowObjects(window, 1).report}
    assert set(store.kept) == {names.manifest, names.events, names.baseline, *both}


def test_a_report_that_counts_and_is_not_there_protects_all(store: Memory, api: Api) -> None:
    window = minute(15)
    store.put(window, 0, 15)
    store.put(window, 1, 14)
    api.counting[window] = Counting(2, NOW - 13 * DAY)

    assert expire_objects(store, api, RULES, NOW, most=1000).count == 0


@pytest.mark.parametrize("most", [1, 4, 7, 100])
def test_a_run_ends_at_its_limit_and_the_next_ones_go_on_to_the_same_end(store: Memory, api: Api, most: int) -> None:
    for days in (500, 40, 39):
        for number in range(3):
            store.put(minute(days, number), 0, days - 1)
    store.put(minute(2), 0, 2)
    first = min(store.kept)

    runs = 0
    while (expired := expire_objects(store, api, RULES, NOW, most=most)).count:
        runs += 1
        assert first not in store.kept
        assert expired.more or runs == 1 or most < 100
        assert runs < 20

    reports_and_the_young = 2 * 3 + 4
    assert len(store.kept) == reports_and_the_young
    assert sum(store.deletes) == 10 * 4 - reports_and_the_young
    assert (runs == 1) == (most == 100)


def test_an_interrupted_run_is_finished_by_the_next(store: Memory, api: Api) -> None:
    class Fails(Exception):  # noqa: N818
        pass

    store.put(minute(40), 0, 39)
    store.put(minute(50), 0, 49)
    remove = store.remove

    def once(keys: Sequence[str]) -> None:
        remove(keys[:1])
        raise Fails

    store.remove = once  # type: ignore[method-assign]
    with pytest.raises(Fails):
        expire_objects(store, api, RULES, NOW, most=1000)
    store.remove = remove  # type: ignore[method-assign]
    expire_objects(store, api, RULES, NOW, most=1000)

    assert {key.rsplit("/", 1)[1] for key in store.kept} == {"report.json"}


def test_logs_go_by_runs_and_by_what_was_written_last(tmp_path: Path) -> None:
    def write(name: str, days_ago: float) -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")
        moment = (NOW - days_ago * DAY).timestamp()
        for path in (file, *file.parents):
            if path == tmp_path:
                break
            os.utime(path, (moment, moment))
        return file

    old = write("dag_id=minutely_report/run_id=a/task_id=export/attempt=1.log", 20)
    revived = write("dag_id=minutely_report/run_id=b/task_id=export/attempt=1.log", 20)
    write("dag_id=minutely_report/run_id=b/task_id=export/attempt=2.log", 3)
    young = write("dag_id=retention/run_id=c/task_id=expire/attempt=1.log", 3)
    parsed = write("dag_processor/2026-10-01/dags/minutely_report.log", 30)
    other = write("airflow-db.log", 100)

    assert remove_logs(tmp_path, NOW - 14 * DAY) == 2

    assert not old.exists()
    assert not parsed.exists()
    assert revived.exists()
    assert young.exists()
    assert other.exists()
    assert remove_logs(tmp_path, NOW - 14 * DAY) == 0
