"""The executor's queue: workers get every item once and end with their parent."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from multiprocessing.queues import SimpleQueue
from typing import Any

from clickpulse.airflow.warm_executor import ParentsQueue

FORK = multiprocessing.get_context("fork")
SPAWN = multiprocessing.get_context("spawn")
"""The parent is a fresh process, as a scheduler is; this one may have other tests' threads, which forks lose."""


def work(inbox: SimpleQueue[Any], results: Any, parent_pid: int) -> None:
    queue = ParentsQueue(inbox, parent_pid)
    while (item := queue.get()) is not None:
        results.put((os.getpid(), item))
    results.put((os.getpid(), "ended"))


def share_out(results: Any) -> None:
    inbox: SimpleQueue[Any] = FORK.SimpleQueue()
    workers = [FORK.Process(target=work, args=(inbox, results, os.getpid())) for _ in range(3)]
    for worker in workers:
        worker.start()
    for number in range(30):
        inbox.put(number)
    for _ in workers:
        inbox.put(None)
    for worker in workers:
        worker.join(20)
    sys.exit(any(worker.exitcode for worker in workers))


def test_each_item_goes_to_one_worker() -> None:
    results = SPAWN.Queue()
    scheduler = SPAWN.Process(target=share_out, args=(results,))
    scheduler.start()
    seen = [results.get(timeout=30)[1] for _ in range(33)]
    assert sorted(item for item in seen if item != "ended") == list(range(30))
    scheduler.join(20)
    assert scheduler.exitcode == 0


def parent(results: Any) -> None:
    inbox: SimpleQueue[Any] = FORK.SimpleQueue()
    for _ in range(3):
        FORK.Process(target=work, args=(inbox, results, os.getpid())).start()
    inbox.put("first")
    signal.pause()


def test_a_worker_whose_parent_was_killed_before_it_began_ends_as_well() -> None:
    inbox: SimpleQueue[Any] = FORK.SimpleQueue()
    gone = FORK.Process(target=int)
    gone.start()
    gone.join()
    assert ParentsQueue(inbox, gone.pid or 0).get() is None


def test_workers_end_when_the_parent_is_killed() -> None:
    results = SPAWN.Queue()
    scheduler = SPAWN.Process(target=parent, args=(results,))
    scheduler.start()
    assert results.get(timeout=30)[1] == "first"
    os.kill(scheduler.pid or 0, signal.SIGKILL)
    scheduler.join(20)
    ended = [results.get(timeout=20) for _ in range(3)]
    assert {what for _, what in ended} == {"ended"}
    assert len({pid for pid, _ in ended}) == 3
