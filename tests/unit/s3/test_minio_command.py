"""How MinIO is started: keys in its environment, never in its arguments; TLS where certificates are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from clickpulse.errors import ConfigurationError
from clickpulse.settings import S3Settings
from s3.__main__ import command, environment
from s3.settings import S3ServerSettings


def server(folder: Path, **more: object) -> S3ServerSettings:
    return S3ServerSettings.load(data_dir=folder / "data", run_dir=folder / "run", **more)


def test_keys_are_in_the_environment_alone(tmp_path: Path) -> None:
    settings = S3Settings.load(access_key="an-access-key", secret_key="a-secret-key")
    variables = environment(settings, {"PATH": "/bin"})
    assert variables["MINIO_ROOT_USER"] == "an-access-key"
    assert variables["MINIO_ROOT_PASSWORD"] == "a-secret-key"
    assert variables["PATH"] == "/bin"
    assert "a-secret-key" not in " ".join(command(server(tmp_path)))


def test_without_a_certificate_there_is_no_tls(tmp_path: Path) -> None:
    arguments = command(server(tmp_path))
    folder = Path(arguments[arguments.index("--certs-dir") + 1])
    assert [file.name for file in folder.iterdir()] == ["CAs"]
    assert arguments[-1] == str(tmp_path / "data")


def test_a_certificate_is_where_minio_looks_for_it_and_goes_with_the_setting(tmp_path: Path) -> None:
    for name in ("s3.crt", "s3.key", "ca.crt"):
        (tmp_path / name).write_text(name)
    files = {"certificate": tmp_path / "s3.crt", "key": tmp_path / "s3.key", "ca": tmp_path / "ca.crt"}
    arguments = command(server(tmp_path, **files))
    folder = Path(arguments[arguments.index("--certs-dir") + 1])
    found = {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}
    assert found == {"public.crt": "s3.crt", "private.key": "s3.key", "CAs/ca.crt": "ca.crt"}
    command(server(tmp_path))
    assert not [file for file in folder.rglob("*") if file.is_symlink()]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"there is no .*s3\.crt"):
        command(server(tmp_path, certificate=tmp_path / "s3.crt", key=tmp_path / "s3.key"))
    with pytest.raises(ConfigurationError, match="belong together"):
        server(tmp_path, certificate=tmp_path / "s3.crt")
