"""Who asks: the writing user or the read-only user, by any of ClickHouse's three ways of saying so."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from clickhouse.server.errors import AUTHENTICATION_FAILED, QueryError
from clickpulse.settings import ClickHouseSettings


class Role(StrEnum):
    """What a user may do; the names are those of the engine's roles."""

    WRITER = "writer"
    READER = "reader"


@dataclass(frozen=True)
class User:
    name: str
    role: Role


class Users:
    """The two users of the settings."""

    def __init__(self, settings: ClickHouseSettings) -> None:
        self._known = {
            settings.reader_user: (settings.reader_password.get_secret_value(), Role.READER),
            settings.user: (settings.password.get_secret_value(), Role.WRITER),
        }

    def authenticate(self, headers: Mapping[str, str], parameters: Mapping[str, str]) -> User:
        """The user of a request; header names are in lower case.

        Raises:
            QueryError: code 516, the same for an unknown name and a wrong password.
        """
        name, password = credentials(headers, parameters)
        expected, role = self._known.get(name, ("", Role.READER))
        right = hmac.compare_digest(password.encode(), expected.encode())
        if name not in self._known or not right:
            raise QueryError(
                AUTHENTICATION_FAILED,
                f"{name}: Authentication failed: password is incorrect, or there is no user with such name",
            )
        return User(name, role)


def credentials(headers: Mapping[str, str], parameters: Mapping[str, str]) -> tuple[str, str]:
    """Name and password from X-ClickHouse-User/-Key, Basic authorization, or the user and password parameters.

    Raises:
        QueryError: an Authorization header of another kind, or a broken one.
    """
    if "x-clickhouse-user" in headers:
        return headers["x-clickhouse-user"], headers.get("x-clickhouse-key", "")
    if "authorization" in headers:
        scheme, _, value = headers["authorization"].partition(" ")
        if scheme.lower() != "basic":
            raise QueryError(AUTHENTICATION_FAILED, f"Authentication failed: {scheme} authorization is not supported")
        try:
            decoded = base64.b64decode(value.strip(), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise QueryError(AUTHENTICATION_FAILED, "Authentication failed: the Basic header is broken") from error
        name, _, password = decoded.partition(":")
        return name, password
    return parameters.get("user", "default"), parameters.get("password", "")
