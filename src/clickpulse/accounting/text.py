"""An account laid out for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clickpulse.accounting.record import Account, Counts, Finding, MinuteAccount
from clickpulse.windows import MINUTE, MinuteWindow

SHOWN_MINUTES = 15
"""A longer range has a line for several minutes in a row that add up alike."""

MOST_RANGES = 8
_COLUMNS = {
    "acknowledged": "Kafka",
    "reported": "reported",
    "duplicates": "dupl.",
    "late": "late",
    "dead_lettered": "dead",
    "pending": "pending",
    "missing": "missing",
    "unexpected": "unexp.",
}
"""Short enough for 80 characters."""


def account_text(account: Account) -> Group:
    """The account for people: the verdict, the figures, then each thing that does not add up."""
    parts: list[RenderableType] = [_verdict(account), "", _figures(account)]
    troubled = [minute for minute in account.minutes if not minute.adds_up]
    if troubled:
        parts += ["", _problems(troubled)]
    if account.refused_by_producers:
        parts.append(
            Text(f"{account.refused_by_producers:,} more were refused by producers: they never reached the topic")
        )
    return Group(*parts)


def _verdict(account: Account) -> Text:
    span = f"{MinuteWindow(account.start)} to {MinuteWindow(account.end)}: "
    if not account.adds_up:
        bad = sum(not minute.adds_up for minute in account.minutes)
        return Text(f"▲ {span}does not add up in {bad} of {len(account.minutes)} minutes", style="bold red")
    text = Text(f"✓ {span}every event is accounted for", style="green")
    if account.totals.pending:
        text.append(f"; {account.totals.pending:,} are not due yet", style="yellow")
    return text


def _figures(account: Account) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, show_footer=True, pad_edge=False, padding=0)
    table.add_column("minute", footer="all", no_wrap=True)
    table.add_column("rev.", justify="right", no_wrap=True)
    for title, value in zip(_COLUMNS.values(), _numbers(account.totals), strict=True):
        table.add_column(title, footer=value, justify="right", no_wrap=True)
    for run in _runs(account.minutes):
        table.add_row(*_line(run), style="" if run[0].adds_up else "bold red")
    return table


def _runs(minutes: Sequence[MinuteAccount]) -> Iterator[list[MinuteAccount]]:
    """Minutes that share a line: in a long range those in a row that add up."""
    run: list[MinuteAccount] = []
    for minute in minutes:
        if run and len(minutes) > SHOWN_MINUTES and minute.adds_up and run[-1].adds_up:
            run.append(minute)
            continue
        if run:
            yield run
        run = [minute]
    if run:
        yield run


def _line(run: list[MinuteAccount]) -> list[str]:
    first = run[0]
    if len(run) == 1:
        revision = "none" if first.revision is None else f"{first.revision}{'' if first.complete else ' ◐'}"
        return [f"{first.window:%m-%d %H:%M}", revision, *_numbers(first)]
    return [
        f"{first.window:%m-%d %H:%M}-{run[-1].window + MINUTE:%H:%M}",
        f"{len(run)} min",
        *_numbers(Counts.total(run)),
    ]


def _numbers(counts: Counts) -> list[str]:
    return [f"{getattr(counts, name):,}" for name in _COLUMNS]


def _problems(minutes: Sequence[MinuteAccount]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0)
    table.add_column("minute", no_wrap=True)
    table.add_column("what")
    table.add_column("partition", justify="right")
    table.add_column("offsets")
    for minute in minutes:
        for number, problem in enumerate(minute.problems):
            window = f"{minute.window:%m-%d %H:%M}" if not number else ""
            partition = "" if problem.partition is None else str(problem.partition)
            table.add_row(window, f"{problem.kind}: {problem.detail}", partition, offsets_text(problem))
    return table


def offsets_text(finding: Finding) -> str:
    """`5, 7-9 and 3 more ranges`."""
    shown = [str(first) if first == last else f"{first}-{last}" for first, last in finding.offsets[:MOST_RANGES]]
    more = len(finding.offsets) - len(shown)
    return ", ".join(shown) + (f" and {more} more ranges" if more else "")
