"""`python -m dashboard_api`: serve the report API."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

import structlog
import uvicorn

from clickpulse.errors import ClickpulseError
from clickpulse.logs import configure_logging
from clickpulse.tls import uvicorn_options
from dashboard_api.app import create_app
from dashboard_api.settings import ReportApiSettings


class Server(uvicorn.Server):
    """Ends the streams when it is told to stop: it waits for requests under way, and those never end by themselves."""

    def __init__(self, config: uvicorn.Config, end_streams: Callable[[], None]) -> None:
        super().__init__(config)
        self._end_streams = end_streams

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._end_streams()
        super().handle_exit(sig, frame)


def main() -> None:
    """Serve until SIGTERM or SIGINT; requests under way are finished."""
    configure_logging("report-api")
    try:
        settings = ReportApiSettings.load()
        app = create_app(settings)
        tls = uvicorn_options(settings.tls_cert, settings.tls_key)
    except ClickpulseError as error:
        structlog.get_logger().error("can't start", error=str(error))
        sys.exit(1)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        access_log=False,  # ours is structured
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=5,
        limit_concurrency=256,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        **tls,
    )
    Server(config, app.state.followers.close).run()


if __name__ == "__main__":
    main()
