"""A private CA for tests of TLS."""

from __future__ import annotations

from pathlib import Path

import pytest

from clickpulse.certificates import ensure_certificates
from clickpulse.settings import certs_dir


def make_certificates(folder: Path) -> Path:
    """Make a private CA with the servers' certificates for a folder of credentials; returns where they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLICKPULSE_CREDS_DIR", str(folder))
        folder.mkdir(parents=True, exist_ok=True)
        ensure_certificates()
        return certs_dir()
