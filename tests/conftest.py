"""Fixtures for all tests: the running stack, the shared real data, a browser."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from clickpulse.service_tests import STARTS_VARIABLE
from clickpulse.settings import home_dir, stack_env_file
from tests.support import external, run_clickpulse

collect_ignore = ["faults", "docker"]
"""Hours of breaking things, and what needs a Docker engine: `clickpulse test faults` and `clickpulse test docker`."""

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
"""How fast the machine is decides about no test."""

START_SECONDS = 900
"""The first start on a machine downloads and builds."""

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of a running stack: after this, `KafkaSettings.load()` and the like give its addresses.

    It is started once, on free ports in a temporary folder, and taken away at the end;
    `CLICKPULSE_TEST_SERVICES=kafka,registry` starts only these and what they need. With `CLICKPULSE_TEST_HOME` set, the
    stack that runs in that folder is used and left running. With `CLICKPULSE_TEST_STACK=external`, as in the test
    containers, the services run elsewhere: their addresses and credentials come from the environment as for a program.
    """
    if external():
        yield home_dir()
        return
    given = os.environ.get("CLICKPULSE_TEST_HOME")
    home = Path(given) if given else tmp_path_factory.mktemp("stack")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLICKPULSE_HOME", str(home))
        patch.setenv("CLICKPULSE_CREDS_DIR", str(home / "creds"))
        if given:
            assert stack_env_file().is_file(), f"CLICKPULSE_TEST_HOME is {given}, where no stack was started"
            yield home
            return
        try:
            run_clickpulse("up", "--no-traffic", "--free-ports", *only_some(), timeout=START_SECONDS)
            yield home
        finally:
            run_clickpulse("down", "--wipe", timeout=180)


def only_some() -> list[str]:
    """Options of `up` for the services that are asked for; `sink` is whichever SINK says."""
    from local.settings import SINK_SERVICES, LocalSettings

    names = [name for name in os.environ.get(STARTS_VARIABLE, "").split(",") if name]
    return [f"--only={SINK_SERVICES[LocalSettings.load().sink] if name == 'sink' else name}" for name in names]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """A folder with real click data (`articles/clicks_hour_000.csv`), given by `CLICKPULSE_TEST_DATA`."""
    given = os.environ.get("CLICKPULSE_TEST_DATA")
    if not given:
        pytest.skip("CLICKPULSE_TEST_DATA is not set: it names a folder with real click data to test with")
    return Path(given)


@pytest.fixture(scope="session")
def connector_archive() -> dict[str, str]:
    """The settings that name the ClickHouse sink for Kafka Connect, from the folder `CLICKPULSE_TEST_CONNECT`."""
    given = os.environ.get("CLICKPULSE_TEST_CONNECT")
    if not given:
        pytest.skip(
            "CLICKPULSE_TEST_CONNECT is not set: it names a folder with clickhouse-kafka-connect-v1.5.0.zip (or .jar) "
            "from https://github.com/ClickHouse/clickhouse-kafka-connect/releases"
        )
    found = sorted(file for file in Path(given).glob("clickhouse-kafka-connect-*") if file.suffix in {".zip", ".jar"})
    if not found:
        pytest.skip(f"CLICKPULSE_TEST_CONNECT is {given}, where no clickhouse-kafka-connect-*.zip or .jar is")
    digest = hashlib.sha256(found[0].read_bytes()).hexdigest()
    return {"CONNECT_SINK_ARCHIVE": str(found[0].absolute()), "CONNECT_SINK_SHA256": digest}


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of an installed Chromium."""
    found = next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser is installed ({', '.join(CHROMIUM_NAMES)}): the page is only tested without one")
    return found
