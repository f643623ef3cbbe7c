"""Small objects and files: a report written, a manifest read, in S3 or in a folder."""

from __future__ import annotations

import io
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from clickpulse.clients import s3_client
from clickpulse.errors import ConfigurationError, TransientError
from clickpulse.settings import S3Settings

if TYPE_CHECKING:
    from minio import Minio

S3_SCHEMES = frozenset({"s3", "s3a"})


def spark_url(location: str) -> str:
    """`location` as Spark reads it: `s3://` becomes `s3a://`, a path an absolute `file:` URL.

    Spark takes the URL as it is, so nothing is escaped in it.
    """
    scheme = urlsplit(location).scheme
    if scheme in S3_SCHEMES:
        return f"s3a://{location.split('://', 1)[1]}"
    return location if scheme else f"file://{Path(location).absolute()}"


class Storage:
    """Reads and writes at locations: `s3://bucket/key`, `s3a://bucket/key`, a `file:` URL, a path.

    Args:
        s3: of the buckets; read from the settings when it is needed and not given.
    """

    def __init__(self, s3: S3Settings | None = None) -> None:
        self._s3 = s3

    def read(self, location: str) -> bytes:
        """The bytes of a small object or file.

        Raises:
            ConfigurationError: it isn't there.
            TransientError: S3 doesn't answer.
        """
        if urlsplit(location).scheme in S3_SCHEMES:
            bucket, key = _bucket_and_key(location)
            return read_object(self._client, bucket, key)
        path = _path(location)
        try:
            return path.read_bytes()
        except FileNotFoundError:
            raise ConfigurationError(f"{path} is not there") from None

    def exists(self, location: str) -> bool:
        """Whether there is such an object or file. Raises as `object_exists`."""
        if urlsplit(location).scheme in S3_SCHEMES:
            bucket, key = _bucket_and_key(location)
            return object_exists(self._client, bucket, key)
        return _path(location).exists()

    def write(self, location: str, content: bytes) -> None:
        """Write a small object or file in one step; a reader sees the old content or the new, never a part.

        Raises:
            TransientError: S3 doesn't answer.
        """
        if urlsplit(location).scheme in S3_SCHEMES:
            _put(self._client, *_bucket_and_key(location), content)
            return
        path = _path(location)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.unfinished")
        unfinished.write_bytes(content)
        unfinished.replace(path)

    @cached_property
    def _client(self) -> Minio:
        return s3_client(self._s3 or S3Settings.load())


def object_exists(client: Minio, bucket: str, key: str) -> bool:
    """Whether there is such an object.

    Raises:
        ConfigurationError: S3 refuses to say.
        TransientError: it doesn't answer.
    """
    from minio.error import S3Error
    from urllib3.exceptions import HTTPError

    try:
        client.stat_object(bucket, key)
    except S3Error as error:
        if error.code == "NoSuchKey":
            return False
        raise ConfigurationError(f"S3 refuses to show {bucket}/{key}: {error.code} {error.message}") from error
    except HTTPError as error:
        raise TransientError(f"S3 does not answer for {bucket}/{key}: {error!r}") from error
    return True


def read_object(client: Minio, bucket: str, key: str) -> bytes:
    """The bytes of a small object. Raises as `Storage.read`."""
    from minio.error import S3Error
    from urllib3.exceptions import HTTPError

    try:
        response = client.get_object(bucket, key)
    except S3Error as error:
        if error.code in {"NoSuchKey", "NoSuchBucket"}:
            raise ConfigurationError(f"s3://{bucket}/{key} is not there ({error.code})") from error
        raise TransientError(f"S3 refused to give s3://{bucket}/{key}: {error}") from error
    except HTTPError as error:
        raise TransientError(f"S3 does not answer for s3://{bucket}/{key}: {error}") from error
    try:
        content: bytes = response.read()
    finally:
        response.close()
        response.release_conn()
    return content


def _put(client: Minio, bucket: str, key: str, content: bytes) -> None:
    from minio.error import S3Error
    from urllib3.exceptions import HTTPError

    try:
        client.put_object(bucket, key, io.BytesIO(content), len(content), content_type="application/json")
    except (S3Error, HTTPError) as error:
        raise TransientError(f"S3 did not take s3://{bucket}/{key}: {error}") from error


def _bucket_and_key(location: str) -> tuple[str, str]:
    parts = urlsplit(location)
    if not parts.netloc or not parts.path.strip("/"):
        raise ConfigurationError(f"{location!r} names no object: write it as s3://bucket/key")
    return parts.netloc, parts.path.lstrip("/")


def _path(location: str) -> Path:
    parts = urlsplit(location)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    if parts.scheme:
        raise ConfigurationError(f"{location!r}: only s3://, s3a://, file:// and paths can be read and written")
    return Path(location)
