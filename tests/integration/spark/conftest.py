"""A standalone Spark cluster on this machine: a master, a worker, and a Connect server whose jobs run there."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from spark.health import problem
from tests.support import free_port, running, wait_for

if TYPE_CHECKING:
    import psutil

HOST = "127.0.0.1"
READY_SECONDS = 90


@dataclass
class Cluster:
    """The running cluster: the variables that name it to a program, its folder and its processes."""

    variables: Mapping[str, str]
    folder: Path
    processes: dict[str, psutil.Process]

    @property
    def events(self) -> Path:
        return Path(self.variables["SPARK_EVENT_LOG_DIR"])


@pytest.fixture(scope="module")
def cluster(stack: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """As small as Spark allows: no JVM that runs jobs starts with less than 450 MB."""
    import psutil  # not in the image that has the tests of Spark's own stack

    del stack
    folder = tmp_path_factory.mktemp("spark-cluster")
    names = ("MASTER_PORT", "MASTER_WEBUI_PORT", "WORKER_PORT", "WORKER_WEBUI_PORT", "CONNECT_PORT", "HISTORY_PORT")
    ports = {f"SPARK_{name}": str(free_port()) for name in names}
    variables = ports | {
        "SPARK_MASTER": f"spark://{HOST}:{ports['SPARK_MASTER_PORT']}",
        "SPARK_CONNECT_URL": f"sc://{HOST}:{ports['SPARK_CONNECT_PORT']}",
        "SPARK_RUN_DIR": str(folder),
        "SPARK_LOCAL_IP": HOST,
        "SPARK_DAEMON_MEMORY": "160m",
        "SPARK_DRIVER_MEMORY": "480m",
        "SPARK_WORKER_CORES": "2",
        "SPARK_WORKER_MEMORY": "1g",
        "SPARK_EXECUTOR_MEMORY": "480m",
        "SPARK_EXECUTOR_CORES": "1",
        "SPARK_EXECUTOR_INSTANCES": "1",
        "SPARK_EVENT_LOG_ENABLED": "true",
        "SPARK_EVENT_LOG_DIR": str(folder / "events"),
    }
    environment = os.environ | variables
    processes: dict[str, psutil.Process] = {}
    with ExitStack() as started, pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        for role in ("master", "worker", "connect"):  # worker and Connect server try again until the master is there
            process = running([sys.executable, "-m", "spark.cluster", role], environment, folder / f"{role}.log")
            processes[role] = psutil.Process(started.enter_context(process).pid)
        for role, process in processes.items():

            def healthy(role: str = role, process: psutil.Process = process) -> bool:
                log = folder / f"{role}.log"
                assert process.status() != psutil.STATUS_ZOMBIE, log.read_text()[-3000:]
                return problem(role) is None

            wait_for(healthy, seconds=READY_SECONDS, what=f"Spark's {role}")
        yield Cluster(variables, folder, processes)
