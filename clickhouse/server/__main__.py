"""`python -m clickhouse.server`: run the embedded ClickHouse by its settings until SIGTERM."""

from __future__ import annotations

import logging
import os
import signal
import sys

import structlog
import uvicorn

from clickhouse.server.app import App
from clickhouse.server.auth import Role, Users
from clickhouse.server.engine import Engine
from clickhouse.server.space import SpaceGuard
from clickpulse.errors import ConfigurationError
from clickpulse.logs import configure_logging
from clickpulse.settings import ClickHouseServerSettings, ClickHouseSettings
from clickpulse.tls import uvicorn_options

_SHUTDOWN_SECONDS = 20
_KEEP_ALIVE_SECONDS = 30


def main() -> int:
    """Serve; gives the exit status."""
    configure_logging("clickhouse")
    log = structlog.get_logger("clickhouse.server")
    try:
        settings = ClickHouseServerSettings.load()
        users = Users(ClickHouseSettings.load())
        tls = uvicorn_options(settings.tls_cert, settings.tls_key)
        engine = Engine.open(settings)
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    space = SpaceGuard(
        lambda: engine.connect(Role.WRITER),
        settings.data_dir,
        reserve_bytes=settings.reserve_bytes,
        needed_bytes=settings.needed_bytes,
    )
    app = App(engine, users, space, max_connections=settings.max_connections)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            access_log=False,
            log_config=None,
            lifespan="on",
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
            **tls,
        )
    )
    scheme = "https" if tls else "http"
    log.info("starting", address=f"{scheme}://{settings.host}:{settings.port}", version=engine.version, pid=os.getpid())
    # uvicorn raises the signal that it was stopped by once more when it is done: a clean end is status 0.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    server.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
