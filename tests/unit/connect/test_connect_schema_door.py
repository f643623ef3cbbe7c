"""The converter waits for the registry where it would have dead-lettered good events."""

from __future__ import annotations

import httpx
import pytest

from connect.schemas import SchemaDoor

PATH = "/apis/registry/v2/ids/contentIds/7"


class Registry:
    """Answers with `status`, or not at all for None; remembers the paths."""

    def __init__(self, status: int | None, body: bytes = b"") -> None:
        self.status = status
        self.body = body
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        if self.status is None:
            raise httpx.ConnectError("refused", request=request)
        return httpx.Response(self.status, content=self.body or b"schema of " + request.url.path.encode())


def door(registry: Registry) -> SchemaDoor:
    return SchemaDoor("http://registry/apis/registry/v2", httpx.MockTransport(registry))


def test_a_registry_that_does_not_answer_is_waited_for() -> None:
    registry = Registry(None)
    opened = door(registry)
    answer = opened.answer(PATH)
    assert answer is not None
    assert answer.status == 429
    assert opened.waits
    registry.status = 503
    assert opened.answer(PATH) == answer
    registry.status = 200
    known = opened.answer(PATH)
    assert known is not None
    assert (known.status, known.body) == (200, b"schema of /apis/registry/v2/ids/contentIds/7")
    assert not opened.waits


def test_a_known_schema_is_asked_for_once_and_outlives_the_registry() -> None:
    registry = Registry(200)
    opened = door(registry)
    first = opened.answer(PATH)
    registry.status = None
    assert opened.answer(PATH) == first
    assert len(registry.asked) == 1


def test_an_unknown_schema_is_the_registrys_word_and_is_asked_for_again() -> None:
    registry = Registry(404, b'{"error_code": 404, "name": "ContentNotFoundException"}')
    opened = door(registry)
    for _ in range(2):
        answer = opened.answer(PATH)
        assert answer is not None
        assert answer.status == 404
    assert len(registry.asked) == 2


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, b"404 page not found"),
        (404, b"[]"),
        (404, b'{"status": 404, "name": "NotFoundException"}'),
        (401, b'{"name": "ContentNotFoundException"}'),
        (302, b""),
        (429, b""),
    ],
    ids=["a proxy", "JSON", "another path", "no login", "elsewhere", "too many"],
)
def test_what_is_no_word_on_the_schema_is_waited_out(status: int, body: bytes) -> None:
    opened = door(Registry(status, body))
    answer = opened.answer(PATH)
    assert answer is not None
    assert answer.status == 429
    assert opened.waits


def test_nothing_else_is_let_through() -> None:
    registry = Registry(200)
    opened = door(registry)
    for path in ("/", "/apis/registry/v2/admin/rules", f"{PATH}/../../admin", "/apis/registry/v2/ids/contentIds/x"):
        assert opened.answer(path) is None
    assert registry.asked == []
    assert opened.answer(f"{PATH}/references") is not None
