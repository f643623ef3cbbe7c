"""`python -m s3`: MinIO in the foreground, with the keys of `s3.creds`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from clickpulse.errors import ClickpulseError, ConfigurationError
from clickpulse.settings import S3Settings
from s3.settings import S3ServerSettings


def command(server: S3ServerSettings) -> list[str]:
    """MinIO's arguments; writes the folder with its certificate first.

    Raises:
        ConfigurationError: a file of the certificate isn't there.
    """
    address = ["--address", f"{server.host}:{server.port}", "--certs-dir", str(_certificates(server))]
    return [str(server.program), "server", "--quiet", *address, str(server.data_dir)]


def environment(settings: S3Settings, inherited: Mapping[str, str]) -> dict[str, str]:
    """MinIO takes its keys from the environment, which only its own user can read; a command line is for all."""
    return {
        **inherited,
        "MINIO_ROOT_USER": settings.access_key,
        "MINIO_ROOT_PASSWORD": settings.secret_key.get_secret_value(),
        "MINIO_REGION": settings.region,
        "MINIO_BROWSER": "off",
        "MINIO_UPDATE": "off",
    }


def _certificates(server: S3ServerSettings) -> Path:
    """The folder that MinIO reads its certificate from, by its fixed names; an empty one means no TLS."""
    folder = server.run_dir / "certs"
    (folder / "CAs").mkdir(parents=True, exist_ok=True)
    names = {"public.crt": server.certificate, "private.key": server.key, "CAs/ca.crt": server.ca}
    for name, file in names.items():
        link = folder / name
        link.unlink(missing_ok=True)
        if file is None:
            continue
        if not file.is_file():
            raise ConfigurationError(f"S3_SERVER_*: there is no {file}; `clickpulse certs` makes the certificates")
        link.symlink_to(file)
    return folder


def main() -> None:
    """Become the server; the exit status is 1 when a setting has to be changed."""
    try:
        server = S3ServerSettings.load()
        arguments, variables = command(server), environment(S3Settings.load(), os.environ)
    except ClickpulseError as error:
        sys.exit(f"error: {error}")
    os.execve(arguments[0], arguments, variables)  # noqa: S606 - no shell wanted


if __name__ == "__main__":
    main()
