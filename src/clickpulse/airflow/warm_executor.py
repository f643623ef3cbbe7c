"""Airflow's LocalExecutor with the imports of the tasks done before it forks.

Here the executor's workers are forks of the scheduler. What is imported, and why: `warm_imports.py`.

Set `AIRFLOW__CORE__EXECUTOR=clickpulse.airflow.warm_executor.WarmLocalExecutor`.

Besides, its workers end when the scheduler does. Those of Airflow's own executor stay for ever when the
scheduler is killed, as each of them keeps the queue's other end open.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import time
from multiprocessing.queues import SimpleQueue
from typing import Any

import structlog
from airflow.executors import local_executor

from clickpulse.airflow.warm_imports import TASK_RUNTIME, TASKS

ORPHAN_CHECK_SECONDS = 2.0

log = structlog.get_logger(__name__)


class WarmLocalExecutor(local_executor.LocalExecutor):  # type: ignore[misc]  # mypy does not follow into Airflow
    """LocalExecutor whose workers have `TASK_RUNTIME` and `TASKS` in memory, and don't outlive the scheduler."""

    def start(self) -> None:
        """Import, then fork the workers."""
        began = time.monotonic()
        for module in TASK_RUNTIME + TASKS:
            importlib.import_module(module)
        log.info("imported for the tasks", seconds=round(time.monotonic() - began, 2))
        super().start()

    def _spawn_worker(self) -> None:
        worker = multiprocessing.Process(
            target=_run_worker,
            kwargs={
                "logger_name": self.log.name,
                "queue": self.activity_queue,
                "parent": os.getpid(),
                "output": self.result_queue,
                "unread_messages": self._unread_messages,
                "team_conf": self.conf,
            },
        )
        worker.start()
        self.workers[worker.pid] = worker


def _run_worker(*, queue: SimpleQueue[Any], parent: int, **arguments: Any) -> None:
    local_executor._run_worker(input=ParentsQueue(queue, parent), **arguments)  # noqa: SLF001


class ParentsQueue:
    """The reading end of a queue that ends with the process that made it, the parent of this one.

    Args:
        queue: whose items are read.
        parent: its process id, taken before the fork: a parent that was killed since has another's place already.
    """

    def __init__(self, queue: SimpleQueue[Any], parent: int) -> None:
        self._queue = queue
        self._parent = parent

    def get(self) -> Any:
        """Wait for the next item; None, a worker's sign to end, once the parent is gone."""
        lock, reader = self._queue._rlock, self._queue._reader  # type: ignore[attr-defined]  # noqa: SLF001
        while os.getppid() == self._parent:
            if not lock.acquire(timeout=ORPHAN_CHECK_SECONDS):
                continue
            try:
                if reader.poll(ORPHAN_CHECK_SECONDS):
                    return multiprocessing.reduction.ForkingPickler.loads(reader.recv_bytes())
            finally:
                lock.release()
        return None
