"""`python -m dashboard_ui`: serve the page at DASHBOARD_HOST and DASHBOARD_PORT."""

from __future__ import annotations

import sys
from pathlib import Path

from streamlit.web import cli

from clickpulse.errors import ClickpulseError
from clickpulse.settings import DashboardSettings


def main() -> None:
    """Hand over to Streamlit; all but the address is in `.streamlit/config.toml`."""
    try:
        settings = DashboardSettings.load()
    except ClickpulseError as error:
        sys.exit(f"error: {error}")
    page = str(Path(__file__).parent / "app.py")
    address = ["--server.address", settings.host, "--server.port", str(settings.port)]
    cli.main(["run", page, *address])


if __name__ == "__main__":
    main()
