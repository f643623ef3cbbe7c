"""`python -m clickpulse.airflow.launch scheduler`: become an Airflow process of the distributed profile.

Airflow takes all its settings from the environment. The committed ones (`env/airflow.env` and, before it,
`env/airflow_celery.env`) and the secrets (`airflow.creds`, `redis_airflow.creds`) are put there by this process just
before it becomes Airflow, so that no container's definition holds a secret. What the environment has already wins.

    python -m clickpulse.airflow.launch setup          # REPORT_START, once; the tables; the users. Repeatable.
    python -m clickpulse.airflow.launch ensure-users --reset oncall     # see users.py
    python -m clickpulse.airflow.launch api-server …   # any command of `airflow`
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from dotenv import dotenv_values
from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from clickpulse.credentials import write_airflow_passwords, write_private
from clickpulse.errors import ClickpulseError
from clickpulse.settings import ServiceSettings, creds_dir, env_dir, stack_env_file

_NOT_AIRFLOWS = frozenset({"AIRFLOW_ADMIN_PASSWORD", "AIRFLOW_USER_PASSWORDS"})
"""In `airflow.creds` for people; no process needs them in its environment."""

_ENSURE_USERS = "ensure-users"
_AUTH_MANAGER = "AIRFLOW__CORE__AUTH_MANAGER"
_PASSWORDS = "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"


class RedisSettings(ServiceSettings):
    """Celery's queue; the password is in `redis_airflow.creds`."""

    service = "redis_airflow"
    model_config = SettingsConfigDict(env_prefix="REDIS_", extra="ignore", frozen=True)

    host: str = "127.0.0.1"
    port: int = 6379
    user: str = "airflow"
    password: SecretStr

    def url(self, database: int) -> str:
        """With the password: for an environment or a client, never for a log."""
        return f"redis://{self.user}:{self.password.get_secret_value()}@{self.host}:{self.port}/{database}"


def environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """Airflow's settings, from the files and the environment.

    Raises:
        ConfigurationError: `redis_airflow.creds` is missing.
    """
    files = (env_dir() / "airflow.env", env_dir() / "airflow_celery.env", creds_dir() / "airflow.creds")
    read = [item for file in files for item in dotenv_values(file).items()]
    named = {name: value for name, value in read if value is not None and name not in _NOT_AIRFLOWS}
    return named | {"AIRFLOW__CELERY__BROKER_URL": RedisSettings.load().url(0)} | dict(inherited)


def keep_first_minute(file: Path, now: datetime) -> None:
    """Write the first minute that gets a report, once: a DAG's start must stay what it was.

    Args:
        file: of variables, where the settings find `REPORT_START`.
        now: UTC.
    """
    if file.is_file() and dotenv_values(file).get("REPORT_START"):
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    write_private(file, f"REPORT_START={now:%Y-%m-%dT%H:%M:00Z}\n")


def main(arguments: list[str]) -> None:
    """Become `airflow` with these arguments; the exit status is 1 when a setting has to be changed."""
    try:
        variables = environment(os.environ)
        real_users = variables.get(_AUTH_MANAGER, "").endswith("FabAuthManager")
        if arguments == ["setup"]:
            if "REPORT_START" not in variables:
                keep_first_minute(stack_env_file(), datetime.now(UTC))
            _migrate(variables)
            if not real_users:
                return
            arguments = [_ENSURE_USERS]
        if arguments[:1] == ["api-server"] and not real_users and (file := variables.get(_PASSWORDS)):
            Path(file).parent.mkdir(parents=True, exist_ok=True)
            write_airflow_passwords(Path(file))
    except ClickpulseError as error:
        sys.exit(f"error: {error}")
    if arguments[:1] == [_ENSURE_USERS]:
        command = [sys.executable, "-m", "clickpulse.airflow.users", *arguments[1:]]
    else:
        command = [sys.executable, "-m", "airflow", *arguments]
    os.execve(sys.executable, command, variables)  # noqa: S606 - no shell wanted


def _migrate(variables: Mapping[str, str]) -> None:
    """Bring Airflow's tables to this version; ends the process where that fails."""
    done = subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], env=dict(variables), check=False)
    if done.returncode:
        sys.exit(done.returncode)


if __name__ == "__main__":
    main(sys.argv[1:])
