"""What Spark's processes are started with: sizes from the settings, secrets in files of their owner."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dotenv import dotenv_values

from clickpulse.errors import ConfigurationError
from clickpulse.revisions import Revision, from_json
from clickpulse.settings import SparkSettings
from clickpulse.windows import MinuteWindow
from spark import cluster
from spark.cluster import Role
from spark.settings import SparkClusterSettings
from spark.submission import submission

MASTER = "spark://spark-master:7077"
SECRETS = {"S3_ACCESS_KEY": "an-access-key", "S3_SECRET_KEY": "a-secret-key", "SPARK_AUTHENTICATE_SECRET": "a-secret"}


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of this machine: its own folders, and the secrets given as variables."""
    for name in ("CLICKPULSE_HOME", "CLICKPULSE_ENV_DIR", "CLICKPULSE_CREDS_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    given = {
        "SPARK_MASTER": MASTER,
        "SPARK_EXECUTOR_MEMORY": "3g",
        "SPARK_EXECUTOR_CORES": "2",
        "SPARK_EXECUTOR_INSTANCES": "5",
        "SPARK_RUN_DIR": str(tmp_path / "run"),
        "SPARK_JAVA_HOME": "/opt/java",
        "SPARK_WORKER_CORES": "7",
        "SPARK_WORKER_MEMORY": "9g",
    }
    for name, value in {**SECRETS, **given}.items():
        monkeypatch.setenv(name, value)


def command(role: Role) -> list[str]:
    return cluster.command(role, SparkSettings.load(), SparkClusterSettings.load())


def properties(file: str | Path) -> dict[str, str | None]:
    assert Path(file).stat().st_mode & 0o777 == 0o600
    return dict(dotenv_values(file, interpolate=False))


def after(arguments: list[str], option: str) -> str:
    return arguments[arguments.index(option) + 1]


@pytest.mark.parametrize("role", list(Role))
def test_no_role_has_a_secret_among_its_arguments(role: Role) -> None:
    arguments = command(role)
    assert arguments[0] == "/opt/java/bin/java"
    assert not [each for each in SECRETS.values() if each in " ".join(arguments)]
    assert properties(after(arguments, "--properties-file"))["spark.authenticate.secret"] == "a-secret"


def test_an_application_takes_no_more_cores_than_its_executors_have() -> None:
    found = properties(after(command(Role.CONNECT), "--properties-file"))
    assert (found["spark.cores.max"], found["spark.executor.cores"], found["spark.executor.memory"]) == (
        "10",
        "2",
        "3g",
    )
    assert (found["spark.master"], found["spark.hadoop.fs.s3a.secret.key"]) == (MASTER, "a-secret-key")


def test_a_worker_lends_what_the_settings_say() -> None:
    arguments = command(Role.WORKER)
    assert (after(arguments, "--cores"), after(arguments, "--memory"), arguments[-3]) == ("7", "9g", MASTER)


def test_a_worker_needs_a_master(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_MASTER", "local[*]")
    with pytest.raises(ConfigurationError, match=r"a worker needs spark://HOST:PORT"):
        command(Role.WORKER)


@pytest.mark.parametrize("wrong", ["yarn", "local[", "spark://host", "http://host:7077"])
def test_a_master_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv("SPARK_MASTER", wrong)
    with pytest.raises(ConfigurationError, match="SPARK_MASTER"):
        SparkSettings.load()


@pytest.mark.parametrize("enabled", ["true", "false"])
def test_event_logs_are_kept_by_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, enabled: str) -> None:
    monkeypatch.setenv("SPARK_EVENT_LOG_ENABLED", enabled)
    monkeypatch.setenv("SPARK_EVENT_LOG_DIR", str(tmp_path / "events"))
    found = properties(after(command(Role.CONNECT), "--properties-file"))
    assert found["spark.eventLog.enabled"] == enabled
    assert found.get("spark.eventLog.dir") == (f"file://{tmp_path / 'events'}" if enabled == "true" else None)


def test_a_submission_leaves_nothing_behind() -> None:
    revision = Revision(MinuteWindow.parse("2026-11-22T10:05Z"), 3)
    with submission(SparkSettings.load(), [revision]) as job:
        found = properties(job.properties_file)
        option, value = job.arguments
        assert (option, from_json(json.loads(value))) == ("--revisions", [revision])
        assert found["spark.app.name"] == "clickpulse 2026-11-22T10:05Z revision 3"
        assert not [each for each in SECRETS.values() if each in str(job.arguments) + str(job.environment)]
        launcher = Path(job.environment["JAVA_HOME"], "bin", "java")
        assert launcher.stat().st_mode & 0o111
        assert "/opt/java/bin/java" in launcher.read_text()
    assert not Path(job.properties_file).parent.exists()
