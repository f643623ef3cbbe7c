"""Makes the bucket: `python -m s3.bucket`. Doing it again changes nothing."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import stamina
import structlog
import urllib3
from minio.error import S3Error

from clickpulse.clients import s3_client
from clickpulse.errors import ClickpulseError, ConfigurationError, TransientError
from clickpulse.logs import configure_logging
from clickpulse.settings import S3Settings

if TYPE_CHECKING:
    from minio import Minio

CONNECT_SECONDS = 60
_THERE_ALREADY = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"})

log = structlog.get_logger()


def ensure_bucket(settings: S3Settings, *, timeout_seconds: float) -> bool:
    """Make the settings' bucket if it isn't there; returns whether it was made.

    Raises:
        ConfigurationError: S3 refuses, such as for a wrong key.
        TransientError: S3 did not answer in `timeout_seconds`.
    """
    client = s3_client(settings)
    for attempt in stamina.retry_context(on=TransientError, attempts=None, timeout=timeout_seconds, wait_max=2):
        with attempt:
            return _ensure(client, settings)
    raise AssertionError("unreachable: the retry context returns or raises")


def _ensure(client: Minio, settings: S3Settings) -> bool:
    try:
        if client.bucket_exists(settings.bucket):
            return False
        client.make_bucket(settings.bucket)
    except S3Error as error:
        if error.code in _THERE_ALREADY:  # another process was quicker
            return False
        raise ConfigurationError(f"S3 {settings.endpoint} refuses bucket {settings.bucket}: {error.code}") from error
    except urllib3.exceptions.HTTPError as error:
        raise TransientError(f"S3 {settings.endpoint} does not answer: {error}") from error
    log.info("bucket_made", bucket=settings.bucket)
    return True


def main() -> int:
    """Make the bucket of the settings; status 1 with a message when that can't be done."""
    configure_logging("s3-setup")
    try:
        ensure_bucket(S3Settings.load(), timeout_seconds=CONNECT_SECONDS)
    except ClickpulseError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
