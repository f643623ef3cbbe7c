"""The manifest of a revision: what it is cut off at, written once to S3 before anything else.

Whoever writes first decides; everybody else, and every re-run, uses what is there. So the same revision always has the
same rows, however much arrives later.
"""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx
from pydantic import BaseModel, ConfigDict, Field

from clickpulse.clients import s3_client
from clickpulse.completeness import WindowCompleteness
from clickpulse.errors import ConfigurationError, TransientError
from clickpulse.objects import WindowObjects
from clickpulse.reports import Completeness, PartitionProgress
from clickpulse.settings import S3Settings
from clickpulse.tls import client_context

if TYPE_CHECKING:
    from minio import Minio

_UPLOAD_VALID = timedelta(minutes=5)
_TIMEOUT_SECONDS = 10
_NOT_WRITTEN = frozenset({HTTPStatus.PRECONDITION_FAILED, HTTPStatus.CONFLICT})


class Manifest(BaseModel):
    """What a revision is cut off at, and why."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    window: str
    revision: int = Field(ge=0)
    cutoff: dict[int, int] = Field(description="first offset of each Kafka partition that is not part of the revision")
    completeness: Completeness


def fix_cutoff(s3: S3Settings, objects: WindowObjects, found: WindowCompleteness) -> Manifest:
    """Write the revision's manifest if there is none, and return the one that counts.

    Raises:
        TransientError: S3 doesn't answer.
    """
    manifest = Manifest(
        window=str(objects.window), revision=objects.revision, cutoff=found.cutoff, completeness=_completeness(found)
    )
    if put_if_absent(s3, objects.manifest, manifest.model_dump_json().encode()):
        return manifest
    return Manifest.model_validate_json(_read(s3_client(s3), s3.bucket, objects.manifest))


def put_if_absent(s3: S3Settings, key: str, content: bytes) -> bool:
    """Write an object unless there is one, atomically; returns whether this call wrote it.

    Raises:
        TransientError: S3 doesn't answer or refuses.
    """
    # A presigned address, as minio-py has no conditional put.
    address = s3_client(s3).get_presigned_url("PUT", s3.bucket, key, expires=_UPLOAD_VALID)
    headers, verify = {"If-None-Match": "*"}, client_context(s3.ca_file)
    try:
        answer = httpx.put(address, content=content, headers=headers, timeout=_TIMEOUT_SECONDS, verify=verify)
    except httpx.TransportError as error:
        raise TransientError(f"S3 does not answer for {s3.bucket}/{key}: {error!r}") from error
    if answer.status_code in _NOT_WRITTEN:
        return False
    if not answer.is_success:
        raise TransientError(f"S3 answered {answer.status_code} for {s3.bucket}/{key}: {answer.text[:200]}")
    return True


def exists(client: Minio, bucket: str, key: str) -> bool:
    """Whether there is such an object.

    Raises:
        ConfigurationError: S3 refuses to tell.
        TransientError: S3 doesn't answer.
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


def _read(client: Minio, bucket: str, key: str) -> bytes:
    response = client.get_object(bucket, key)
    try:
        return bytes(response.read())
    finally:
        response.close()
        response.release_conn()


def _completeness(found: WindowCompleteness) -> Completeness:
    progress = [
        PartitionProgress(
            partition=partition,
            target_offset=found.targets.get(partition, cutoff),
            committed_offset=found.committed.get(partition, 0),
        )
        for partition, cutoff in sorted(found.cutoff.items())
    ]
    return Completeness(complete=found.complete, reason=found.reason, partitions=progress)
