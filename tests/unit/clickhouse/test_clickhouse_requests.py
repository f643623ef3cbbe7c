"""Parameters of a request, errors, sessions and places for queries."""

from __future__ import annotations

import asyncio

import pytest

from clickhouse.server.auth import Role, User
from clickhouse.server.errors import QueryError
from clickhouse.server.limits import Slots
from clickhouse.server.request import SessionRequest, query_request, url_parameters
from clickhouse.server.sessions import Sessions


def test_what_is_a_setting_and_what_is_not() -> None:
    parameters = url_parameters(
        b"query=SELECT+1&max_threads=2&param_a=x%09y&database=db&session_id=s&user=u&password=p"
    )
    request = query_request("POST", {}, parameters)
    assert request.sql == b"SELECT 1"
    assert request.settings == {"max_threads": "2"}
    assert request.parameters == {"a": "x\ty"}
    assert request.database == "db"
    assert request.session == SessionRequest("s", 60, must_exist=False, close=False)


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"max_threads = 1, readonly": "0"}, 36),
        ({"session_id": "s", "session_timeout": "-1"}, 374),
        ({"session_id": "s", "session_timeout": "999999"}, 374),
        ({"role": "admin"}, 512),
    ],
)
def test_refused_parameters(parameters: dict[str, str], code: int) -> None:
    with pytest.raises(QueryError) as caught:
        query_request("POST", {}, parameters)
    assert caught.value.code == code


def test_external_tables() -> None:
    parameters = {"a_types": "Int8, String", "b_structure": "x Date", "b_format": "CSV"}
    request = query_request("POST", {}, parameters, {"a": b"1\tx\n", "b": b"2020-01-01\n"})
    assert request.settings == {}
    assert request.external["a"].structure == "`_1` Int8, `_2` String"
    assert (request.external["b"].structure, request.external["b"].format) == ("x Date", "CSV")
    with pytest.raises(QueryError):
        query_request("POST", {}, {}, {"a": b""})


@pytest.mark.parametrize(
    ("engine", "code", "status", "text"),
    [
        ("Code: 60. DB::Exception: No table. (UNKNOWN_TABLE) (version 26.9.2.1)", 60, 404, "No table. (UNKNOWN_TABLE)"),
        ("Streaming insert failed: Code: 62. DB::Exception: Bad. (SYNTAX_ERROR)", 62, 400, "Bad. (SYNTAX_ERROR)"),
        ("std::exception. Code: 1001, type: avro::Exception, e.what() = x (version 26.9.2.1)", 1001, 500, None),
        ("something else", 1001, 500, "something else"),
    ],
)
def test_errors_of_the_engine(engine: str, code: int, status: int, text: str | None) -> None:
    error = QueryError.from_engine(RuntimeError(engine))
    assert (error.code, error.status) == (code, status)
    assert text is None or error.text == text
    message = error.message("26.9")
    assert message.startswith(f"Code: {code}. DB::Exception: ")
    assert message.endswith("(version 26.9 (official build))\n")


class FakeConnection:
    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


def test_a_session_is_kept_locked_and_closed_in_time() -> None:
    now = [0.0]
    sessions = Sessions(lambda: now[0])
    user, request = User("w", Role.WRITER), SessionRequest("s", 10, must_exist=False, close=False)
    made: list[FakeConnection] = []

    def connect() -> FakeConnection:
        made.append(FakeConnection())
        return made[-1]

    with sessions.hold(user, request, connect) as connection:  # type: ignore[arg-type]
        with pytest.raises(QueryError) as caught, sessions.hold(user, request, connect):  # type: ignore[arg-type]
            pytest.fail("the session is held")
        assert caught.value.code == 373
        now[0] = 100
        assert sessions.close_expired() == 0
    with sessions.hold(user, request, connect) as again:  # type: ignore[arg-type]
        assert again is connection
    with sessions.hold(User("r", Role.READER), request, connect) as other:  # type: ignore[arg-type]
        assert other is not connection
    now[0] = 110.5
    assert sessions.close_expired() == 2
    assert all(connection.closed for connection in made)
    must_exist = SessionRequest("s", 10, must_exist=True, close=False)
    with pytest.raises(QueryError) as caught, sessions.hold(user, must_exist, connect):  # type: ignore[arg-type]
        pytest.fail("the session is gone")
    assert caught.value.code == 372


async def _fill(slots: Slots, release: asyncio.Event) -> None:
    async with slots.take():
        await release.wait()


def test_too_many_queries_wait_and_then_are_refused() -> None:
    async def scenario() -> None:
        slots, release = Slots(1, queue_seconds=0.01), asyncio.Event()
        first = asyncio.create_task(_fill(slots, release))
        await asyncio.sleep(0)
        with pytest.raises(QueryError) as caught:
            async with slots.take():
                pytest.fail("there was no place")
        assert caught.value.code == 202
        release.set()
        await first
        async with slots.take():
            pass

    asyncio.run(scenario())
