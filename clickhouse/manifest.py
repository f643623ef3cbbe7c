"""The manifest of a revision: what it is cut off at, written once to S3 before anything else.

Whoever writes first decides; everybody else, and every re-run, uses what is there. So the same revision always has the
same rows, however much arrives later.
"""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Self

import httpx
from pydantic import BaseModel, ConfigDict, Field

from clickpulse.clients import s3_client
from clickpulse.completeness import WindowCompleteness
from clickpulse.errors import TransientError
from clickpulse.objects import WindowObjects
from clickpulse.reports import Completeness, PartitionProgress
from clickpulse.settings import S3Settings
from clickpulse.storage import read_object
from clickpulse.tls import client_context
from clickpulse.windows import MinuteWindow

_UPLOAD_VALID = timedelta(minutes=5)
_TIMEOUT_SECONDS = 10
_NOT_WRITTEN = frozenset({HTTPStatus.PRECONDITION_FAILED, HTTPStatus.CONFLICT})


class Manifest(BaseModel):
    """What a revision is cut off at, and why."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    window: str
    revision: int = Field(ge=0)
    revision_reason: str | None = Field(None, description="why there is a further revision; null in the first")
    scored_from: int | None = Field(
        None, ge=0, description="the revision whose events are scored anew; null: it has events of its own"
    )
    cutoff: dict[int, int] = Field(description="first offset of each Kafka partition that is not part of the revision")
    completeness: Completeness

    @property
    def objects(self) -> WindowObjects:
        """The keys of the revision."""
        return WindowObjects(MinuteWindow.parse(self.window), self.revision)

    @classmethod
    def of(cls, objects: WindowObjects, found: WindowCompleteness, reason: str | None = None) -> Self:
        """What has been found of a window, as the manifest of its revision."""
        return cls(
            window=str(objects.window),
            revision=objects.revision,
            revision_reason=reason,
            cutoff=found.cutoff,
            completeness=_completeness(found),
        )


def fix_manifest(s3: S3Settings, manifest: Manifest) -> Manifest:
    """Write the revision's manifest if there is none, and return the one that counts.

    Raises:
        TransientError: S3 doesn't answer.
    """
    if put_if_absent(s3, manifest.objects.manifest, manifest.model_dump_json().encode()):
        return manifest
    return read_manifest(s3, manifest.objects)


def read_manifest(s3: S3Settings, objects: WindowObjects) -> Manifest:
    """The manifest of a revision that has one.

    Raises:
        ConfigurationError: it isn't there.
        TransientError: S3 doesn't answer.
    """
    return Manifest.model_validate_json(read_object(s3_client(s3), s3.bucket, objects.manifest))


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
