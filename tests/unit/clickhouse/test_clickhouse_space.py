"""The guard of the embedded ClickHouse's disk: what it does as space comes and goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clickhouse.server.errors import NO_SUCH_DATA_PART, QueryError
from clickhouse.server.space import SpaceGuard

RESERVE = 1_000_000
NEEDED = 3_000_000


class EndedError(Exception):
    """Where the process would have ended."""


class Parts:
    """A connection to tables whose parts are named here."""

    def __init__(self) -> None:
        self.found: dict[str, str | QueryError] = {}
        """Part -> what its check says."""
        self.checked: list[str] = []

    def text(self, sql: str) -> str:
        if sql.startswith("SELECT"):
            return "\n".join(f"clickpulse\tevents\t{part}" for part in self.found)
        part = sql.split("'")[1]
        self.checked.append(part)
        answer = self.found[part]
        if isinstance(answer, QueryError):
            raise answer
        return answer

    def close(self) -> None:
        pass


def end() -> None:
    raise EndedError


@pytest.fixture
def parts() -> Parts:
    return Parts()


class Guarded:
    """A guard on a disk of which the test says how much is free."""

    def __init__(self, folder: Path, connection: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free = 100_000_000
        self.reserve = folder / "reserve"
        self.guard = SpaceGuard(lambda: connection, folder, reserve_bytes=RESERVE, needed_bytes=NEEDED, end=end)
        monkeypatch.setattr(self.guard, "_free", lambda: self.free)

    def look(self, free: int) -> None:
        self.free = free
        self.guard._look()


@pytest.fixture
def guarded(tmp_path: Path, parts: Parts, monkeypatch: pytest.MonkeyPatch) -> Guarded:
    return Guarded(tmp_path, parts, monkeypatch)


def test_the_reserve_is_laid_aside_given_back_and_laid_aside_again(guarded: Guarded) -> None:
    guarded.look(100_000_000)
    assert guarded.reserve.stat().st_size == RESERVE
    guarded.look(NEEDED - 1)
    assert not guarded.reserve.exists()
    guarded.look(NEEDED + RESERVE - 1)
    assert not guarded.reserve.exists(), "then there would be too little again"
    guarded.look(NEEDED + RESERVE)
    assert guarded.reserve.exists()


def test_a_broken_part_ends_the_process_and_leaves_room_for_the_next(guarded: Guarded, parts: Parts) -> None:
    guarded.look(100_000_000)
    parts.found = {"all_1_2_1": "1", "all_3_4_1": "0"}
    with pytest.raises(EndedError):
        guarded.look(0)
    assert not guarded.reserve.exists()


def test_an_insert_is_confirmed_only_where_space_is_low(guarded: Guarded, parts: Parts) -> None:
    parts.found = {"all_1_1_0": "0"}
    guarded.guard.confirm()
    assert parts.checked == []
    guarded.free = 0
    with pytest.raises(EndedError):
        guarded.guard.confirm()


def test_each_part_is_read_once_while_space_is_low(guarded: Guarded, parts: Parts) -> None:
    parts.found = {"all_1_1_0": "1"}
    for _ in range(3):
        guarded.look(0)
    assert parts.checked == ["all_1_1_0"]


def test_a_part_that_was_merged_meanwhile_is_no_concern(guarded: Guarded, parts: Parts) -> None:
    parts.found = {"all_1_1_0": QueryError(NO_SUCH_DATA_PART, "No part all_1_1_0 in table")}
    guarded.look(0)


def test_an_insert_that_cannot_be_looked_at_is_not_acknowledged(guarded: Guarded, parts: Parts) -> None:
    parts.found = {"all_1_1_0": QueryError(74, "Cannot read from file")}
    guarded.free = 0
    with pytest.raises(QueryError, match="Cannot read"):
        guarded.guard.confirm()


def test_without_a_reserve_nothing_is_watched(tmp_path: Path, parts: Any) -> None:
    guard = SpaceGuard(lambda: parts, tmp_path, reserve_bytes=0, needed_bytes=0, end=end)
    guard.start()
    guard.confirm()
    guard.stop()
    assert list(tmp_path.iterdir()) == []
