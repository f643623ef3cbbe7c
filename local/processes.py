"""The processes of this home's stack, found by the variable that all of them inherit."""

from __future__ import annotations

from collections.abc import Iterator

import psutil

from clickpulse.settings import home_dir
from local.supervision import STACK_VARIABLE

_TERMINATE_SECONDS = 10


def stack_processes() -> Iterator[psutil.Process]:
    """Every live process that belongs to the stack of this home, supervisord included."""
    home = str(home_dir())
    for process in psutil.process_iter():
        try:
            if process.environ().get(STACK_VARIABLE) == home and process.status() != psutil.STATUS_ZOMBIE:
                yield process
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue


def end_leftovers() -> int:
    """End what a killed supervisor left behind; returns how many processes there were."""
    leftovers = [process for process in stack_processes() if not _is_own_ancestor(process)]
    for process in leftovers:
        _signal(process.terminate)
    _, alive = psutil.wait_procs(leftovers, timeout=_TERMINATE_SECONDS)
    for process in alive:
        _signal(process.kill)
    psutil.wait_procs(alive, timeout=_TERMINATE_SECONDS)
    return len(leftovers)


def _is_own_ancestor(process: psutil.Process) -> bool:
    """Whether `process` is this one or started it: a command run from inside a service must not end itself."""
    own = psutil.Process()
    return process.pid in {own.pid, *(parent.pid for parent in own.parents())}


def _signal(send: object) -> None:
    try:
        send()  # type: ignore[operator]
    except psutil.NoSuchProcess:
        return


def memory_bytes(pid: int) -> int:
    """Proportional set size of a process and its children: shared pages are counted once over all of them."""
    try:
        root = psutil.Process(pid)
        return sum(_pss(process) for process in (root, *root.children(recursive=True)))
    except psutil.NoSuchProcess:
        return 0


def _pss(process: psutil.Process) -> int:
    try:
        full = process.memory_full_info()
        return int(getattr(full, "pss", full.rss))
    except psutil.AccessDenied:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
