"""The outcome of accounting: what `clickpulse reconcile --json` prints and the report API keeps of each minute."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from clickpulse.errors import ClickpulseError
from clickpulse.reports import Count, UtcDatetime


class UncheckableError(ClickpulseError):
    """Something that the accounting needs is not kept any more."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Counts(_Model):
    """Messages by what became of them. All but `unexpected` are the acknowledged ones, each in one group."""

    acknowledged: Count = Field(0, description="messages that Kafka has")
    reported: Count = Field(0, description="in the report that counts of their minute")
    duplicates: Count = Field(0, description="their event_id counts through another message")
    late: Count = Field(0, description="in the late ledger, in no report")
    dead_lettered: Count = Field(0, description="in the dead-letter topic")
    pending: Count = Field(0, description="not accounted for yet, and not due yet")
    missing: Count = Field(0, description="overdue, and nowhere to be found")
    unexpected: Count = Field(
        0, description="what no message explains: rows too many, events twice, rows or totals that are wrong or gone"
    )

    @model_validator(mode="after")
    def _disjoint(self) -> Self:
        groups = self.reported + self.duplicates + self.late + self.dead_lettered + self.pending + self.missing
        if groups != self.acknowledged:
            raise ValueError(f"the groups hold {groups} messages, acknowledged are {self.acknowledged}")
        return self

    @classmethod
    def total(cls, counts: Iterable[Counts]) -> Counts:
        """The sum of several."""
        listed = list(counts)
        return Counts(**{name: sum(getattr(one, name) for one in listed) for name in Counts.model_fields})


class Finding(_Model):
    """Messages of one partition, or rows, with something in common."""

    kind: str = Field(description="a short stable word, such as `missing`")
    partition: Count | None = Field(description="null where it is about no partition")
    offsets: list[tuple[Count, Count]] = Field(description="ranges, first and last offset; the first of many")
    detail: str


class MinuteAccount(Counts):
    """One minute of event time."""

    window: UtcDatetime = Field(description="the minute's start, UTC")
    revision: Count | None = Field(description="of the report that counts; null: the minute has no report")
    complete: bool | None = Field(description="whether that report is complete")
    problems: list[Finding] = Field([], description="what does not add up")
    notes: list[Finding] = Field([], description="accounted for, in no report: duplicates, late, dead letters, pending")

    @model_validator(mode="after")
    def _is_a_minute(self) -> Self:
        if self.window.second or self.window.microsecond:
            raise ValueError(f"window {self.window.isoformat()} is not a whole minute")
        return self

    @property
    def adds_up(self) -> bool:
        return not self.problems


class AccountedMinute(MinuteAccount):
    """One minute's account as the report API keeps it: the newest of those there were."""

    checked_at: UtcDatetime = Field(description="when the accounting began")


class Account(_Model):
    """A range of minutes, `[from, to)`."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    start: UtcDatetime = Field(alias="from")
    end: UtcDatetime = Field(alias="to")
    adds_up: bool
    totals: Counts
    refused_by_producers: Count = Field(description="dead letters of the range that never were in the events' topic")
    minutes: list[MinuteAccount]


class AccountList(_Model):
    """Accounts of a range, newest minute first."""

    items: list[AccountedMinute]


class Posted(_Model):
    """The answer to posted accounts."""

    stored: Count = Field(description="minutes whose account is now the posted one")
    known: Count = Field(description="minutes of which this account, or a newer one, was there already")
