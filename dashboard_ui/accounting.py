"""The last hour's account: whether what Kafka acknowledged adds up with what became of it."""

from __future__ import annotations

from dataclasses import dataclass

from clickpulse.accounting.record import Counts
from clickpulse.windows import MINUTE
from dashboard_ui.data import Accounts
from dashboard_ui.formats import clock, number, sentence
from dashboard_ui.services import Level


@dataclass(frozen=True)
class Term:
    """One figure of the equation."""

    key: str
    label: str
    value: str


@dataclass(frozen=True)
class Accounting:
    """The panel: a verdict, the equation (empty where nothing has been accounted for), and what it is about."""

    level: Level
    verdict: str
    acknowledged: Term | None
    terms: tuple[Term, ...]
    note: str


_ALWAYS = (
    ("reported", "in reports"),
    ("duplicates", "duplicates"),
    ("late", "late"),
    ("dead_lettered", "dead-lettered"),
)
_SOMETIMES = (("pending", "not due yet"), ("missing", "missing"))


def accounting(accounts: Accounts) -> Accounting:
    """What the panel says of the hour's accounts."""
    if not accounts.minutes:
        return _nothing(accounts)
    total = Counts.total(accounts.minutes)
    shown = [*_ALWAYS, *(one for one in _SOMETIMES if getattr(total, one[0]))]
    newest, oldest = accounts.minutes[0], accounts.minutes[-1]
    bad = sum(not one.adds_up for one in accounts.minutes)
    count = len(accounts.minutes)
    note = (
        f"{number(count)} {'minute' if count == 1 else 'minutes'} from {clock(oldest.window)} to "
        f"{clock(newest.window + MINUTE)} UTC; the last one accounted for is {clock(newest.window)}"
    )
    if total.unexpected:
        note += f"; {number(total.unexpected)} that no message explains"
    if accounts.problem:
        note += f"; not brought up to date: {accounts.problem}"
    return Accounting(
        level=Level.CRITICAL if bad else Level.OK,
        verdict=f"{number(bad)} {'minute does' if bad == 1 else 'minutes do'} not add up" if bad else "All add up",
        acknowledged=Term("acknowledged", "acknowledged by Kafka", number(total.acknowledged)),
        terms=tuple(Term(name, label, number(getattr(total, name))) for name, label in shown),
        note=sentence(note),
    )


def _nothing(accounts: Accounts) -> Accounting:
    if accounts.problem:
        return Accounting(Level.UNKNOWN, "Not known", None, (), sentence(accounts.problem))
    note = (
        "Nothing of the last hour has been accounted for yet. A minute is, some minutes after its report: what Kafka "
        "acknowledged is compared with ClickHouse, the reports and the dead letters."
    )
    return Accounting(Level.UNKNOWN, "Not yet", None, (), note)
