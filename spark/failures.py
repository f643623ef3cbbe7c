"""Spark's errors as ours, with the line of them that names the cause."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from clickpulse.errors import ConfigurationError, TransientError

if TYPE_CHECKING:
    from pyspark.errors import PySparkException

_MISSING = ("PATH_NOT_FOUND", "FAILED_READ_FILE.FILE_NOT_EXIST")
_GRPC_DETAILS = re.compile(r'details = "(.*)"')


def explained(error: PySparkException, what: str) -> ConfigurationError | TransientError:
    """The error to raise in place of `error`, which came up while doing `what`."""
    text = str(error)
    if any(f"[{condition}]" in text for condition in _MISSING):
        return ConfigurationError(f"{what}: {text.splitlines()[0]}: export the minute first")
    details = _GRPC_DETAILS.search(text)
    return TransientError(f"{what}: {details.group(1) if details else text.splitlines()[0]}")
