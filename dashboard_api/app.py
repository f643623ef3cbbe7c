"""The application: wires settings, repository, routes and errors together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from clickpulse.errors import TransientError
from clickpulse.settings import ReportApiSettings
from dashboard_api import openapi, problems, routes_operations, routes_reports
from dashboard_api.access import AccessMiddleware
from dashboard_api.database import Database
from dashboard_api.metrics import Metrics
from dashboard_api.postgres import PostgresReports
from dashboard_api.repository import ReportRepository

log = structlog.get_logger()


def create_app(settings: ReportApiSettings, repository: ReportRepository | None = None) -> FastAPI:
    """The report API; `repository` defaults to Postgres at the settings' address. Nothing connects yet."""
    app = FastAPI(
        title="Clickpulse report API",
        version="1",
        description=openapi.DESCRIPTION,
        openapi_tags=openapi.TAGS,
        lifespan=_lifespan,
        redirect_slashes=False,
    )
    app.state.settings = settings
    app.state.metrics = Metrics()
    app.state.repository = repository or PostgresReports(
        Database(settings.database_url.get_secret_value(), settings.pool_size)
    )
    app.add_middleware(AccessMiddleware, metrics=app.state.metrics)
    problems.install(app)
    app.include_router(routes_reports.router)
    app.include_router(routes_operations.router)
    openapi.install(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    repository: ReportRepository = app.state.repository
    try:
        await run_in_threadpool(repository.prepare)
    except TransientError as error:
        # Not fatal: /readyz says so, and the first request that reaches Postgres migrates.
        log.warning("started without the database", error=str(error))
    log.info("report api is up", address=str(app.state.settings.url))
    yield
    repository.close()
    log.info("report api stopped")
