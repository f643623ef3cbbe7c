"""Which revisions a run makes: what its tasks tell one another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from clickpulse.objects import WindowObjects
from clickpulse.windows import MinuteWindow


@dataclass(frozen=True)
class Revision:
    """One revision of one minute.

    Where `scored_from` is a number, the events of that revision are scored anew, and there is a revision only if the
    result differs; `reason` then says why that was asked for. Otherwise the manifest in S3 has the reason.
    """

    window: MinuteWindow
    number: int
    scored_from: int | None = None
    reason: str | None = None

    @property
    def objects(self) -> WindowObjects:
        return WindowObjects(self.window, self.number)


def to_json(revisions: Iterable[Revision]) -> list[dict[str, Any]]:
    """Plain values, for XCom and command lines."""
    return [asdict(revision) | {"window": str(revision.window)} for revision in revisions]


def from_json(values: Sequence[dict[str, Any]]) -> list[Revision]:
    """What `to_json` gave."""
    return [Revision(**{**value, "window": MinuteWindow.parse(value["window"])}) for value in values]
