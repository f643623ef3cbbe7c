"""What LOCAL_TLS changes: the addresses, whom clients trust, and that a running stack is not switched."""

from __future__ import annotations

from pathlib import Path

import pytest

from clickpulse.credentials import generate_credentials
from clickpulse.errors import ConfigurationError
from clickpulse.settings import (
    ClickHouseServerSettings,
    ClickHouseSettings,
    ReportReaderSettings,
    S3Settings,
    certs_dir,
)
from dashboard_api.settings import ReportApiSettings
from dashboard_ui.settings import PageSettings
from local.settings import LocalSettings
from local.stack import write_stack_env
from local.start import _check_unchanged


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKPULSE_HOME", str(tmp_path))
    monkeypatch.setenv("CLICKPULSE_CREDS_DIR", str(tmp_path / "creds"))
    generate_credentials()


def clients() -> list[tuple[str, Path | None]]:
    clickhouse, s3, reports = ClickHouseSettings.load(), S3Settings.load(), ReportReaderSettings.load()
    found = [(clickhouse.url, clickhouse.ca_file), (s3.endpoint, s3.ca_file), (reports.url, reports.ca_file)]
    return [(str(url).split("://", maxsplit=1)[0], ca_file) for url, ca_file in found]


def servers() -> list[Path | None]:
    loaded = ClickHouseServerSettings.load(), ReportApiSettings.load(), PageSettings.load()
    return [file for one in loaded for file in (one.tls_cert, one.tls_key)]


def test_servers_show_their_certificates_and_clients_trust_the_private_ca() -> None:
    write_stack_env(LocalSettings.load(tls=True))

    ca_file = certs_dir() / "ca.crt"
    assert clients() == [("https", ca_file)] * 3
    assert ClickHouseServerSettings.load().ca_file == ca_file
    names = ("clickhouse", "report_api", "dashboard")
    assert servers() == [certs_dir() / f"{name}.{kind}" for name in names for kind in ("crt", "key")]
    assert LocalSettings.load().tls, "the next start goes on over TLS"


def test_without_tls_nothing_of_it_is_left() -> None:
    write_stack_env(LocalSettings.load(tls=True))
    write_stack_env(LocalSettings.load(tls=False))

    assert clients() == [("http", None)] * 3
    assert servers() == [None] * 6
    assert not LocalSettings.load().tls


@pytest.mark.parametrize("tls", [False, True])
def test_a_running_stack_is_not_switched(tls: bool) -> None:
    write_stack_env(LocalSettings.load(tls=tls))

    with pytest.raises(ConfigurationError, match="clickpulse down"):
        _check_unchanged(LocalSettings.load(tls=not tls), running=True)
    _check_unchanged(LocalSettings.load(tls=tls), running=True)
    _check_unchanged(LocalSettings.load(tls=not tls), running=False)
