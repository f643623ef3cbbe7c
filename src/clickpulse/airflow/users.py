"""Airflow's users, kept in its database with hashed passwords: `python -m clickpulse.airflow.users`.

    python -m clickpulse.airflow.users                  # makes the users that are missing
    python -m clickpulse.airflow.users --reset oncall   # and gives this one the password of the file again

For the auth manager of the provider `fab`, Airflow's for real users (the simple one is for development). Who there is
says AIRFLOW_USERS, with which password `airflow.creds`. Users that exist keep their roles and passwords, which they
and administrators change in Airflow's own pages. Roles: Admin, Op, User, Viewer, Public and what was added there.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated, Any

import structlog
import typer
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from clickpulse.errors import ClickpulseError, ConfigurationError
from clickpulse.logs import configure_logging
from clickpulse.settings import ServiceSettings

ADMIN = "admin"

log = structlog.get_logger()


class AirflowUsersSettings(ServiceSettings):
    """Who may use Airflow."""

    service = "airflow"
    model_config = SettingsConfigDict(env_prefix="AIRFLOW_", extra="ignore", frozen=True)

    users: dict[str, str] = Field({ADMIN: "Admin"}, description='name -> role, as JSON: {"admin": "Admin"}')
    admin_password: SecretStr
    user_passwords: dict[str, SecretStr] = Field({}, description="of the others, name -> password, as JSON")

    def password(self, name: str) -> str:
        """Return the first password of a user; `ConfigurationError` if none is given."""
        given = self.admin_password if name == ADMIN else self.user_passwords.get(name)
        if given is None or not given.get_secret_value():
            raise ConfigurationError(f"AIRFLOW_USER_PASSWORDS in airflow.creds has none for {name!r} of AIRFLOW_USERS")
        return given.get_secret_value()


def ensure_users(manager: Any, users: Mapping[str, str], passwords: Mapping[str, str], *, reset: str | None) -> None:
    """Make the users that are missing; `reset` names one whose password becomes that of `passwords`.

    Args:
        manager: FAB's security manager.
        users: name -> role.
        passwords: name -> password.
        reset: a name in `users`.

    Raises:
        ConfigurationError: there is no such role or user.
    """
    if reset is not None and reset not in users:
        raise ConfigurationError(f"{reset!r} is not in AIRFLOW_USERS: there are {', '.join(users)}")
    for name, role in users.items():
        found = manager.find_user(username=name)
        if found is None:
            _add(manager, name, role, passwords[name])
        elif name == reset:
            manager.reset_password(found.id, passwords[name])
            log.info("password_reset", user=name)


def _add(manager: Any, name: str, role: str, password: str) -> None:
    known = manager.find_role(role)
    if known is None:
        roles = ", ".join(each.name for each in manager.get_all_roles())
        raise ConfigurationError(f"AIRFLOW_USERS gives {name!r} the role {role!r}: there are {roles}")
    # The address has to be unique and nothing is sent to it.
    if not manager.add_user(name, name, "", f"{name}@clickpulse.invalid", known, password):
        raise ConfigurationError(f"Airflow did not take the user {name!r}: its log says why")
    log.info("user_made", user=name, role=role)


def main(
    reset: Annotated[str | None, typer.Option(help="give this user the password of the file again")] = None,
) -> None:
    """Make Airflow's users that are missing."""
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
    from airflow.utils.providers_configuration_loader import providers_configuration_loaded

    settings = AirflowUsersSettings.load()
    passwords = {name: settings.password(name) for name in settings.users}

    @providers_configuration_loaded  # type: ignore[untyped-decorator]  # mypy does not follow into Airflow
    def ensure() -> None:
        with get_application_builder() as builder:
            builder.sm.sync_roles()
            ensure_users(builder.sm, settings.users, passwords, reset=reset)

    ensure()


if __name__ == "__main__":
    configure_logging("airflow-users")
    try:
        typer.run(main)
    except ClickpulseError as error:
        typer.secho(f"error: {error}", fg=typer.colors.RED, err=True)
        sys.exit(1)
