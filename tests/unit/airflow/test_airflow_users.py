"""Users are made once; roles and passwords of those that exist stay."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from clickpulse.airflow.users import AirflowUsersSettings, ensure_users
from clickpulse.errors import ConfigurationError


@dataclass
class Named:
    """A role, or a user, whose id is its name."""

    name: str

    @property
    def id(self) -> str:
        return self.name


@dataclass
class Manager:
    """Behaves as the provider's security manager does towards `ensure_users`."""

    passwords: dict[str, str] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)
    addresses: set[str] = field(default_factory=set)

    def find_user(self, username: str) -> Named | None:
        return Named(username) if username in self.passwords else None

    def find_role(self, name: str) -> Named | None:
        return Named(name) if name in {"Admin", "Viewer"} else None

    def get_all_roles(self) -> list[Named]:
        return [Named("Admin"), Named("Viewer")]

    def add_user(self, username: str, _first: str, _last: str, email: str, role: Named, password: str) -> bool:
        assert email not in self.addresses
        self.addresses.add(email)
        self.roles[username], self.passwords[username] = role.name, password
        return True

    def reset_password(self, user: str, password: str) -> None:
        self.passwords[user] = password


USERS = {"admin": "Admin", "analyst": "Viewer"}
FIRST = {"admin": "one", "analyst": "two"}


def test_missing_users_are_made_and_others_stay() -> None:
    manager = Manager(passwords={"admin": "chosen since"}, roles={"admin": "Viewer"})
    ensure_users(manager, USERS, FIRST, reset=None)
    ensure_users(manager, USERS, FIRST, reset=None)
    assert manager.passwords == {"admin": "chosen since", "analyst": "two"}
    assert manager.roles == {"admin": "Viewer", "analyst": "Viewer"}


def test_a_reset_changes_one_password() -> None:
    manager = Manager(passwords={"admin": "forgotten", "analyst": "kept"})
    ensure_users(manager, USERS, FIRST, reset="admin")
    assert manager.passwords == {"admin": "one", "analyst": "kept"}


def test_what_is_wrong_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"role 'Boss': there are Admin, Viewer"):
        ensure_users(Manager(), {"admin": "Boss"}, FIRST, reset=None)
    with pytest.raises(ConfigurationError, match="'nobody' is not in AIRFLOW_USERS"):
        ensure_users(Manager(), USERS, FIRST, reset="nobody")


def test_each_user_needs_a_password(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("CLICKPULSE_HOME", "CLICKPULSE_ENV_DIR", "CLICKPULSE_CREDS_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    (tmp_path / "airflow.env").write_text('AIRFLOW_USERS={"admin": "Admin", "analyst": "Viewer"}\n')
    (tmp_path / "airflow.creds").write_text("AIRFLOW_ADMIN_PASSWORD=one\n")
    settings = AirflowUsersSettings.load()
    assert (settings.users, settings.password("admin")) == (USERS, "one")
    with pytest.raises(ConfigurationError, match=r"AIRFLOW_USER_PASSWORDS .*'analyst'"):
        settings.password("analyst")
