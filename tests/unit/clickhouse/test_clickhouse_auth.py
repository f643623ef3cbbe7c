"""Who asks."""

from __future__ import annotations

import base64

import pytest
from pydantic import SecretStr

from clickhouse.server.auth import Role, Users
from clickhouse.server.errors import AUTHENTICATION_FAILED, QueryError
from clickpulse.settings import ClickHouseSettings


@pytest.fixture
def users() -> Users:
    return Users(
        ClickHouseSettings(user="w", password=SecretStr("wp:ä"), reader_user="r", reader_password=SecretStr("rp"))
    )


def basic(text: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(text.encode()).decode()}


@pytest.mark.parametrize(
    ("headers", "parameters", "role"),
    [
        (basic("w:wp:ä"), {}, Role.WRITER),
        (basic("r:rp"), {}, Role.READER),
        ({"x-clickhouse-user": "r", "x-clickhouse-key": "rp"}, {}, Role.READER),
        ({}, {"user": "w", "password": "wp:ä"}, Role.WRITER),
    ],
)
def test_three_ways(users: Users, headers: dict[str, str], parameters: dict[str, str], role: Role) -> None:
    assert users.authenticate(headers, parameters).role is role


@pytest.mark.parametrize(
    ("headers", "parameters"),
    [
        (basic("w:rp"), {}),
        (basic("nobody:wp"), {}),
        (basic("w:"), {}),
        ({}, {}),
        ({"authorization": "Bearer x"}, {}),
        ({"authorization": "Basic %%%"}, {}),
        ({"x-clickhouse-user": "w"}, {"user": "w", "password": "wp:ä"}),
    ],
)
def test_refused(users: Users, headers: dict[str, str], parameters: dict[str, str]) -> None:
    with pytest.raises(QueryError) as caught:
        users.authenticate(headers, parameters)
    assert (caught.value.code, caught.value.status) == (AUTHENTICATION_FAILED, 403)
