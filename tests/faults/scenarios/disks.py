"""A full disk under Kafka, ClickHouse and S3: each on a small file system, filled up by a ballast file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from tests.faults.scenario import Course, Lab, Scenario

FULL_SECONDS = 60
_BALLAST = "ballast.faults"
_ATTEMPTS = 1000


@contextmanager
def full(lab: Lab, course: Course, name: str) -> Iterator[None]:
    """Not a byte is left until the ballast is taken away."""
    file = lab.small_disks[name] / _BALLAST
    try:
        size = fill(file)
        yield
        course.note(f"{size // 1024**2} MB of ballast, {free_bytes(file.parent) // 1024} KB left at the end")
    finally:
        file.unlink(missing_ok=True)


def fill(file: Path) -> int:
    """Take all the free space of the file's file system; returns the bytes taken."""
    with file.open("wb") as ballast:
        for _ in range(_ATTEMPTS):
            size, free = os.fstat(ballast.fileno()).st_size, free_bytes(file.parent)
            if not free:
                return size
            with suppress(OSError):  # somebody else took some of it meanwhile
                os.posix_fallocate(ballast.fileno(), size, free)
    raise AssertionError(f"{file.parent} could not be filled: {free_bytes(file.parent)} bytes are left")


def free_bytes(folder: Path) -> int:
    system = os.statvfs(folder)
    return system.f_bavail * system.f_frsize


def missing(lab: Lab, name: str) -> str | None:
    if name in lab.small_disks:
        return None
    return f"the data folder of {name} is no small file system: only root may mount one, before the stack's start"


def scenarios() -> Iterator[Scenario]:
    for name in ("kafka", "clickhouse", "s3"):
        yield Scenario(
            name=f"full-disk-{name}",
            title=f"disk of {name} full for {FULL_SECONDS} s",
            story="every write fails",
            strike=partial(full, name=name),
            seconds=FULL_SECONDS,
            missing=partial(missing, name=name),
        )
