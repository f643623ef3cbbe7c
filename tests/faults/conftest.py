"""The fault suite's stack, its options, and where its results go."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from clickpulse.settings import PROJECT_ROOT
from tests.faults import canary, results, table
from tests.faults import stack as stacks
from tests.faults.catalogue import BY_NAME
from tests.faults.long_run import asked_minutes
from tests.faults.scenario import Lab
from tests.faults.services import Services
from tests.faults.traffic import Ledger, Traffic

LONG_RUN_FILE = "test_long_run.py"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("faults")
    group.addoption("--rate", type=float, default=100, help="simulated events a second")
    group.addoption("--hours", type=float, help="the long run instead: random faults for so many hours")
    group.addoption("--minutes", type=float, help="the long run for so many minutes")
    group.addoption("--seed", type=int, default=7, help="of the long run's faults")
    group.addoption(
        "--home", type=Path, help="the stack's folder: started there if it doesn't run, and left running afterwards"
    )
    group.addoption("--resume", action="store_true", help="leave out what has passed, go on with a long run")
    group.addoption("--results", type=Path, default=results.RESULTS, help="the rows, as JSON lines")
    group.addoption("--write-docs", action="store_true", help="write docs/reliability.md from the results at the end")


def pytest_configure() -> None:
    """Whoever ends the run, the fault is undone and the traffic stopped; a background job ignores Ctrl-C otherwise."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The long run, or everything else."""
    wanted = asked_minutes(config.getoption("--hours"), config.getoption("--minutes")) is not None
    chosen = [item for item in items if (item.path.name == LONG_RUN_FILE) == wanted]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.getoption("--write-docs"):
        table.write_document(session.config.getoption("--results"), BY_NAME)


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of a stack with planted secrets, proxies and small disks, or of the one in CLICKPULSE_TEST_HOME."""
    attached = os.environ.get("CLICKPULSE_TEST_HOME")
    kept: Path | None = request.config.getoption("--home")
    home = Path(attached or kept or tmp_path_factory.mktemp("faults")).absolute()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLICKPULSE_HOME", str(home))
        patch.setenv("CLICKPULSE_CREDS_DIR", str(home / "creds"))
        if attached:
            assert stacks.runs(), f"CLICKPULSE_TEST_HOME is {home}, where no stack runs"
        elif not stacks.runs():
            try:
                stacks.start(home)
            except BaseException:
                if not kept:
                    stacks.wipe(home)
                raise
        try:
            yield home
        finally:
            if not (attached or kept):
                stacks.wipe(home)


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest, stack: Path) -> Iterator[Lab]:
    folder = stack / "faults"
    folder.mkdir(exist_ok=True)
    ledger = Ledger()
    with stacks.proxies_of(stack) as proxies:
        yield Lab(
            home=stack,
            folder=folder,
            services=Services(),
            traffic=Traffic(folder, request.config.getoption("--rate"), ledger),
            ledger=ledger,
            search=canary.Search(canary.needles(stack / "creds")),
            proxies=proxies,
            small_disks=stacks.small_disks(stack),
        )


@pytest.fixture
def results_file(request: pytest.FixtureRequest) -> Path:
    file: Path = request.config.getoption("--results")
    return file if file.is_absolute() else PROJECT_ROOT / file
