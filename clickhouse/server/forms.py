"""Requests as multipart/form-data: SQL and parameters as fields, data of external tables as files."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from clickhouse.server.body import ClientGoneError, Receive
from clickhouse.server.errors import BAD_ARGUMENTS, QueryError

_MAX_FIELD_BYTES = 64 << 20


async def read_form(scope: MutableMapping[str, Any], receive: Receive) -> tuple[dict[str, str], dict[str, bytes]]:
    """The form's text fields and its files, by name.

    Raises:
        QueryError: it is not a form.
        ClientGoneError: the client left before the form's end.
    """
    fields: dict[str, str] = {}
    files: dict[str, bytes] = {}
    try:
        async with Request(scope, receive).form(max_part_size=_MAX_FIELD_BYTES) as form:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    files[name] = await value.read()
                else:
                    fields[name] = value
    except HTTPException as error:
        raise QueryError(BAD_ARGUMENTS, f"Broken form: {error.detail}") from error
    except ClientDisconnect as error:
        raise ClientGoneError from error
    return fields, files
