"""Where Postgres is, and the passwords of its users."""

from __future__ import annotations

from typing import Literal, Self, get_args

from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from clickpulse.settings import ServiceSettings

Owner = Literal["airflow", "reports"]
"""Users that own the database of the same name."""

OWNERS: tuple[Owner, ...] = get_args(Owner)


class PostgresServerSettings(ServiceSettings):
    """The server and its superuser."""

    service = "postgres"
    model_config = SettingsConfigDict(env_prefix="POSTGRES_", extra="ignore", frozen=True)

    host: str = "127.0.0.1"
    port: int = 5432
    user: str = "clickpulse"
    password: SecretStr


class PostgresUserSettings(ServiceSettings):
    """The password of one of `OWNERS`, in `postgres_<owner>.creds`."""

    service = "postgres"
    model_config = SettingsConfigDict(env_prefix="POSTGRES_USER_", extra="ignore", frozen=True)

    password: SecretStr

    @classmethod
    def load_for(cls, owner: Owner) -> Self:
        """Read the password of one user."""
        return cls._read((f"postgres_{owner}",), {})
