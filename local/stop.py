"""`down`: stop everything in the reverse order, leave no process behind, and with `--wipe` no data either."""

from __future__ import annotations

import shutil

import psutil

from clickpulse.errors import ClickpulseError
from clickpulse.settings import home_dir, stack_env_file
from local.processes import end_leftovers, stack_processes
from local.settings import data_dir, log_dir, run_dir
from local.supervision import Supervisor

_SHUTDOWN_SECONDS = 120


def stop_stack(*, wipe: bool = False) -> int:
    """Stop the stack of this home; returns how many processes ended.

    `wipe` deletes its data and logs, not the credentials.
    """
    count = sum(1 for _ in stack_processes())
    supervisor = Supervisor()
    if supervisor.alive():
        daemon = psutil.Process(supervisor.pid())
        supervisor.shutdown()
        psutil.wait_procs([daemon], timeout=_SHUTDOWN_SECONDS)
    end_leftovers()
    if remaining := [process.pid for process in stack_processes()]:
        raise ClickpulseError(f"processes {remaining} of the stack in {home_dir()} could not be ended")
    if wipe:
        for folder in (data_dir(), log_dir(), run_dir(), home_dir() / "airflow"):
            if folder.exists():
                shutil.rmtree(folder)
        stack_env_file().unlink(missing_ok=True)
        (home_dir() / "start-times.json").unlink(missing_ok=True)
    return count
