"""The application: wires settings, repository, routes and errors together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from clickpulse.errors import TransientError
from dashboard_api import openapi, problems, routes_accounts, routes_operations, routes_reading, routes_writing
from dashboard_api.access import AccessMiddleware
from dashboard_api.accounts import MemoryAccounts, PostgresAccounts
from dashboard_api.auth import Tokens
from dashboard_api.database import Database
from dashboard_api.metrics import Metrics
from dashboard_api.postgres import PostgresReports
from dashboard_api.rate_limits import RateLimits
from dashboard_api.repository import ReportRepository
from dashboard_api.settings import ReportApiSettings
from dashboard_api.stream import Followers

log = structlog.get_logger()


def create_app(settings: ReportApiSettings, repository: ReportRepository | None = None) -> FastAPI:
    """The report API; `repository` defaults to Postgres at the settings' address. Nothing connects yet.

    With a `repository` of the caller's own, accounts are kept in memory.
    """
    app = FastAPI(
        title="Clickpulse report API",
        version="1",
        description=openapi.DESCRIPTION,
        openapi_tags=openapi.TAGS,
        lifespan=_lifespan,
        redirect_slashes=False,
    )
    app.state.settings = settings
    app.state.tokens = Tokens(settings)
    app.state.limits = RateLimits(settings)
    app.state.followers = Followers(settings.max_streams)
    app.state.metrics = Metrics(app.state.followers)
    database = Database(settings.database_url.get_secret_value(), settings.pool_size)
    reports = PostgresReports(database)
    app.state.repository = repository or reports
    app.state.accounts = MemoryAccounts() if repository else PostgresAccounts(database, reports.prepare)
    app.add_middleware(AccessMiddleware, metrics=app.state.metrics)
    problems.install(app)
    for router in (
        routes_reading.router, routes_reading.schemas, routes_writing.router, routes_accounts.router,
        routes_operations.router,
    ):  # fmt: skip
        app.include_router(router)
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
    followers: Followers = app.state.followers
    followers.open()
    repository.watch(followers.wake)
    log.info("report api is up", address=str(app.state.settings.url))
    yield
    repository.close()
    log.info("report api stopped")
