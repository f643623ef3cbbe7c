"""`python -m dashboard_api`: serve the report API."""

from __future__ import annotations

import sys

import structlog
import uvicorn

from clickpulse.errors import ClickpulseError
from clickpulse.logs import configure_logging
from clickpulse.settings import ReportApiSettings
from dashboard_api.app import create_app


def main() -> None:
    """Serve until SIGTERM or SIGINT; requests under way are finished."""
    configure_logging("report-api")
    try:
        settings = ReportApiSettings.load()
    except ClickpulseError as error:
        structlog.get_logger().error("can't start", error=str(error))
        sys.exit(1)
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        access_log=False,  # ours is structured
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=5,
        limit_concurrency=256,
    )


if __name__ == "__main__":
    main()
