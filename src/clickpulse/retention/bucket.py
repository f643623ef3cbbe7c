"""What is in the bucket, a day at a time, and deleting of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal

from clickpulse.clients import s3_client
from clickpulse.errors import ConfigurationError, TransientError
from clickpulse.retention.plan import StoredObject
from clickpulse.settings import S3Settings

if TYPE_CHECKING:
    from minio import Minio

Kind = Literal["minutes", "reports"]

_AT_ONCE = 1000
"""As many as S3 deletes with one request."""

_DATE = "date="


class Bucket:
    """The settings' bucket; nothing connects before the first call.

    Every method raises `TransientError` where S3 does not answer, `ConfigurationError` where it refuses.
    """

    def __init__(self, settings: S3Settings, client: Minio | None = None) -> None:
        self._client = client or s3_client(settings)
        self._bucket = settings.bucket

    def dates(self, kind: Kind) -> list[date]:
        """The days (UTC) that there are objects of, oldest first."""
        with _explained(f"the days of {kind}"):
            found = list(self._client.list_objects(self._bucket, prefix=f"{kind}/", recursive=False))
        names = (one.object_name.removeprefix(f"{kind}/").rstrip("/") for one in found)
        return sorted(day for name in names if (day := _day(name)) is not None)

    def objects(self, kind: Kind, day: date) -> list[StoredObject]:
        """All objects of a day."""
        prefix = f"{kind}/{_DATE}{day.isoformat()}/"
        with _explained(prefix):
            found = list(self._client.list_objects(self._bucket, prefix=prefix, recursive=True))
        return [StoredObject(one.object_name, one.size or 0, one.last_modified) for one in found if not one.is_dir]

    def inputs(self, key: str) -> frozenset[str] | None:
        """The keys that a report names as its inputs; None where there is no such report, or it names none.

        It is read as plain JSON, so that a report of an earlier version protects what it names as well.
        """
        from minio.error import S3Error

        with _explained(key):
            try:
                response = self._client.get_object(self._bucket, key)
            except S3Error as error:
                if error.code == "NoSuchKey":
                    return None
                raise
            try:
                text = response.read()
            finally:
                response.close()
                response.release_conn()
        try:
            named = json.loads(text)["inputs"]
            return frozenset(
                {named["events"], named["baseline"], *(one for one in named.values() if isinstance(one, str))}
            )
        except (ValueError, KeyError, TypeError):
            return None

    def remove(self, keys: Sequence[str]) -> None:
        """Delete objects, in this order, as many at once as S3 takes; those that are gone already are no mistake."""
        from minio.deleteobjects import DeleteObject

        for first in range(0, len(keys), _AT_ONCE):
            chunk = keys[first : first + _AT_ONCE]
            with _explained(f"deleting {len(chunk)} objects from {chunk[0]}"):
                errors = list(self._client.remove_objects(self._bucket, [DeleteObject(key) for key in chunk]))
            if refused := [error for error in errors if error.code != "NoSuchKey"]:
                raise TransientError(
                    f"S3 did not delete {len(refused)} of {len(chunk)} objects: "
                    f"{refused[0].name}: {refused[0].code} {refused[0].message}"
                )


def _day(name: str) -> date | None:
    try:
        return date.fromisoformat(name.removeprefix(_DATE)) if name.startswith(_DATE) else None
    except ValueError:
        return None


@contextmanager
def _explained(what: str) -> Iterator[None]:
    from minio.error import S3Error, ServerError
    from urllib3.exceptions import HTTPError

    try:
        yield
    except S3Error as error:
        status = error.response.status if error.response is not None else HTTPStatus.BAD_REQUEST
        transient = status >= HTTPStatus.INTERNAL_SERVER_ERROR
        raise (TransientError if transient else ConfigurationError)(
            f"S3 refuses {what}: {error.code} {error.message}"
        ) from error
    except (HTTPError, ServerError) as error:
        raise TransientError(f"S3 does not answer for {what}: {error!r}") from error
