"""Migration files: `NNNN_what.sql`, applied once and in order, never changed afterwards."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from clickpulse.errors import ConfigurationError

_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")


@dataclass(frozen=True)
class Migration:
    """One file."""

    version: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def check_unchanged(self, applied_checksum: str) -> None:
        """Raise `ConfigurationError` if the file is not the one that was applied."""
        if self.checksum != applied_checksum:
            raise ConfigurationError(
                f"migration {self.version:04}_{self.name}.sql was changed after it was applied: "
                "restore it and put the change into a new file"
            )


def read_migrations(folder: Path) -> list[Migration]:
    """All files of `folder` in the order of their versions.

    Raises:
        ConfigurationError: a name is not `NNNN_what.sql`, or a version is missing or there twice.
    """
    migrations = []
    for file in sorted(folder.glob("*.sql")):
        match = _NAME.fullmatch(file.name)
        if match is None:
            raise ConfigurationError(f"migration {file.name}: name it NNNN_what.sql, such as 0004_sessions.sql")
        migrations.append(Migration(int(match[1]), match[2], file.read_text(encoding="utf-8")))
    versions = [migration.version for migration in migrations]
    if versions != list(range(1, len(versions) + 1)):
        raise ConfigurationError(
            f"migrations in {folder} have the versions {versions}: they go 1, 2, 3, … without a gap"
        )
    return migrations
