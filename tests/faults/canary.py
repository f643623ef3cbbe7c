"""Is a secret in a log? Distinctive secrets are planted before the start, and everything written is searched for them.

Searched for is the planted mark, plain and in base64 (as in an `Authorization: Basic` header), and every secret of the
stack's credentials as a whole, so a stack that was started without the mark can be searched as well.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dotenv import dotenv_values

from clickpulse.credentials import CREDENTIALS, write_private

MARK = "CanaryThatMustNotSing"
_PLAIN_NAMES = frozenset({"KAFKA_SASL_USERNAME", "KAFKA_BROKER_CLUSTER_ID", "S3_ACCESS_KEY"})
"""In credential files, but no secrets."""

_OF_A_FORM = frozenset({"AIRFLOW__CORE__FERNET_KEY"})
"""Not any text will do: the generated value is kept, and searched for as a whole."""

_LONGEST = 40
"""Characters of a secret: what S3's keys may have."""

_SHORTEST = 12
"""A shorter value would be found by chance."""


def plant(creds: Path) -> None:
    """Write credentials that contain the mark, for every secret that has none yet."""
    creds.mkdir(parents=True, exist_ok=True)
    for service, variables in CREDENTIALS.items():
        file = creds / f"{service}.creds"
        if file.exists():
            continue
        values = {name: make() for name, make in variables.items()}
        marked = {name: _marked(name, value) for name, value in values.items()}
        write_private(file, "".join(f"{name}={value}\n" for name, value in marked.items()))


def _marked(name: str, value: str) -> str:
    if name in _PLAIN_NAMES or name in _OF_A_FORM:
        return value
    return (MARK + secrets.token_hex(16))[:_LONGEST]


def needles(creds: Path) -> dict[bytes, str]:
    """What to search for, and what each is called in a message, which never shows the secret itself."""
    found = dict.fromkeys(_forms(MARK.encode()), "the planted mark")
    for file in sorted(creds.glob("*.creds")):
        for name, value in dotenv_values(file).items():
            if value and name not in _PLAIN_NAMES and len(value) >= _SHORTEST:
                found[value.encode()] = f"{name} of {file.name}"
    return found


def _forms(text: bytes) -> Iterator[bytes]:
    """The text, and what base64 makes of it wherever in a longer text it begins."""
    yield text
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + text).rstrip(b"=")
        yield encoded[(0, 2, 3)[shift] : -1]  # the first and the last characters are shared with the neighbours


@dataclass
class Search:
    """Searches files that grow: each call looks only at what is new.

    Args:
        needles: what must not be there, and what to call it.
    """

    needles: dict[bytes, str]
    _read_to: dict[int, int] = field(default_factory=dict)

    def new_in(self, folders: Iterable[Path]) -> list[str]:
        """Where something was found: file and name, without the secret."""
        return sorted({place for folder in folders for file in _files(folder) for place in self._look(file)})

    def in_text(self, text: str, where: str) -> list[str]:
        content = text.encode()
        return [f"{name} in {where}" for needle, name in self.needles.items() if needle in content]

    def _look(self, file: Path) -> Iterator[str]:
        try:
            with file.open("rb") as lines:
                # By the file's own number: a log that is rotated keeps it under its new name.
                number, size = file.stat().st_ino, file.stat().st_size
                begin = self._read_to.get(number, 0)
                overlap = max(map(len, self.needles), default=1) - 1
                lines.seek(max(0, begin - overlap if begin <= size else 0))
                content = lines.read()
                self._read_to[number] = lines.tell()
        except FileNotFoundError:  # rotated away meanwhile
            return
        for needle, name in self.needles.items():
            if needle in content:
                yield f"{name} in {file}"


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())
