"""The connector's archive: pinned, or not installed."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from clickpulse.errors import ConfigurationError
from clickpulse.settings import ConnectSettings
from connect.plugins import _unpack, checked_archive


def test_without_a_checksum_nothing_is_installed_and_the_way_to_one_is_told(tmp_path: Path) -> None:
    archive = tmp_path / "sink.jar"
    archive.write_bytes(b"content")
    with pytest.raises(ConfigurationError, match=r"CONNECT_SINK_SHA256 is not set.*v1\.5\.0\.zip.*sha256sum"):
        checked_archive(ConnectSettings(sink_archive=archive), tmp_path)


def test_the_releases_checksum_is_recorded_and_empty_variables_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECT_SINK_SHA256", "")
    monkeypatch.setenv("CONNECT_SINK_ARCHIVE", "")
    settings = ConnectSettings.load()
    assert settings.sink_archive is None
    assert settings.sink_sha256 is not None
    assert "v1.5.0" in str(settings.sink_url)


def test_another_file_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "sink.jar"
    archive.write_bytes(b"content")
    digest = hashlib.sha256(b"content").hexdigest()
    assert checked_archive(ConnectSettings(sink_archive=archive, sink_sha256=digest), tmp_path) == archive
    archive.write_bytes(b"altered")
    with pytest.raises(ConfigurationError, match="SHA-256"):
        checked_archive(ConnectSettings(sink_archive=archive, sink_sha256=digest), tmp_path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = ConnectSettings(sink_archive=tmp_path / "missing.zip", sink_sha256="0" * 64)
    with pytest.raises(ConfigurationError, match=r"CONNECT_SINK_ARCHIVE.*missing\.zip"):
        checked_archive(missing, tmp_path)


def test_jars_come_out_of_a_release_and_a_jar_is_its_own(tmp_path: Path) -> None:
    release = tmp_path / "clickhouse-kafka-connect-v1.5.0.zip"
    with zipfile.ZipFile(release, "w") as content:
        content.writestr("clickhouse-kafka-connect-v1.5.0/lib/clickhouse-kafka-connect.jar", b"jar")
        content.writestr("clickhouse-kafka-connect-v1.5.0/lib/../../../outside.jar", b"outside")
        content.writestr("clickhouse-kafka-connect-v1.5.0/manifest.json", b"{}")
    _unpack(release, tmp_path / "one")
    names = sorted(file.name for file in (tmp_path / "one").iterdir())
    assert names == ["clickhouse-kafka-connect.jar", "outside.jar"], "by name alone: nothing leaves the folder"
    jar = tmp_path / "connect.jar"
    with zipfile.ZipFile(jar, "w") as content:
        content.writestr("com/clickhouse/Sink.class", b"class")
    _unpack(jar, tmp_path / "two")
    assert [file.name for file in (tmp_path / "two").iterdir()] == ["connect.jar"]
