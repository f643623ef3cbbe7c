"""Structured logs: one JSON object a line on stderr, UTC times, no payloads and no secrets."""

from __future__ import annotations

import io
import logging
import sys

import structlog


class _Stderr(io.StringIO):
    """Whatever is standard error at the moment of writing: loggers are kept, and it may be another one by then."""

    def write(self, text: str, /) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def configure_logging(service: str, *, level: int = logging.INFO) -> None:
    """Set structlog up once, where a service's program starts."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(_Stderr()),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
