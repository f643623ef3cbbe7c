"""`python -m dashboard_ui`: serve the page at DASHBOARD_HOST and DASHBOARD_PORT."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from streamlit.web import cli

from clickpulse.credentials import write_private
from clickpulse.errors import ClickpulseError
from clickpulse.tls import uvicorn_options
from dashboard_ui.login import secrets_toml
from dashboard_ui.settings import PageSettings


def main() -> None:
    """Hand over to Streamlit; what is not a setting is in `.streamlit/config.toml`."""
    try:
        settings = PageSettings.load()
        settings.check()
        uvicorn_options(settings.tls_cert, settings.tls_key)  # Streamlit would not say what is wrong with them
    except ClickpulseError as error:
        sys.exit(f"error: {error}")
    page = str(Path(__file__).parent / "app.py")
    options = ["--server.address", settings.host, "--server.port", str(settings.port)]
    if settings.tls_cert:
        options += ["--server.sslCertFile", str(settings.tls_cert), "--server.sslKeyFile", str(settings.tls_key)]
    with _secrets(settings) as files:
        cli.main(["run", page, *options, *files])


@contextmanager
def _secrets(settings: PageSettings) -> Iterator[list[str]]:
    """The file for Streamlit's login, in a folder that only its owner can read, until the page ends."""
    with TemporaryDirectory(prefix="clickpulse-dashboard-") as folder:
        file = Path(folder, "secrets.toml")
        if settings.login == "oidc":
            write_private(file, secrets_toml(settings))
        yield ["--secrets.files", str(file)]


if __name__ == "__main__":
    main()
