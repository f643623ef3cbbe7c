"""Connect's REST interface: what Clickpulse asks of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Self

import httpx

from clickpulse.errors import ConfigurationError, TransientError

_SECONDS = 10
_BUSY = frozenset({HTTPStatus.CONFLICT, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.INTERNAL_SERVER_ERROR})
"""A rebalance is going on, or the workers have not found each other yet."""


@dataclass(frozen=True)
class TaskState:
    """A task, or the connector itself (`task` is None); `trace` is why it failed, in Java's form."""

    task: int | None
    state: str
    worker: str
    trace: str = ""

    @property
    def name(self) -> str:
        return "connector" if self.task is None else f"task {self.task}"

    @property
    def cause(self) -> str:
        """The trace's last cause, in a line."""
        causes = [line for line in self.trace.splitlines() if line.startswith("Caused by: ")]
        return causes[-1].removeprefix("Caused by: ") if causes else self.trace.partition("\n")[0]


@dataclass(frozen=True)
class ConnectorState:
    """The connector and its tasks; none of either where it is not registered."""

    parts: tuple[TaskState, ...]

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Self:
        connector = document["connector"]
        parts = [TaskState(None, connector["state"], connector["worker_id"], connector.get("trace", ""))]
        parts += [
            TaskState(task["id"], task["state"], task["worker_id"], task.get("trace", "")) for task in document["tasks"]
        ]
        return cls(tuple(parts))

    @property
    def registered(self) -> bool:
        return bool(self.parts)

    @property
    def running(self) -> bool:
        """Whether the connector and at least one task run, and nothing else."""
        return len(self.parts) > 1 and all(part.state == "RUNNING" for part in self.parts)

    @property
    def failed(self) -> tuple[TaskState, ...]:
        return tuple(part for part in self.parts if part.state == "FAILED")


class ConnectRest:
    """A connector by its name.

    Args:
        url: of a worker, any of the group.
        name: the connector's.
    """

    def __init__(self, url: str, name: str, transport: httpx.BaseTransport | None = None) -> None:
        self._http = httpx.Client(base_url=url, timeout=_SECONDS, trust_env=False, transport=transport)
        self._path = f"/connectors/{name}"
        self.name = name

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def state(self) -> ConnectorState:
        """Raises `TransientError` if the worker does not answer."""
        answer = self._ask("GET", f"{self._path}/status", accept=(HTTPStatus.NOT_FOUND,))
        return ConnectorState(()) if answer.status_code == HTTPStatus.NOT_FOUND else ConnectorState.parse(answer.json())

    def config(self) -> dict[str, str] | None:
        """What is registered, without its name; None if nothing is. Secrets are references."""
        answer = self._ask("GET", f"{self._path}/config", accept=(HTTPStatus.NOT_FOUND,))
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        return {name: value for name, value in answer.json().items() if name != "name"}

    def register(self, config: Mapping[str, str]) -> bool:
        """Make the connector have this configuration; whether something changed.

        Raises:
            ConfigurationError: Connect refuses the configuration.
            TransientError: the worker does not answer, or its group is busy.
        """
        if self.config() == dict(config):
            return False
        self._ask("PUT", f"{self._path}/config", json=dict(config))
        return True

    def restart(self, *, only_failed: bool) -> None:
        """Restart the connector and its tasks. Raises `ConfigurationError` if there is none, or `TransientError`."""
        options = {"includeTasks": "true", "onlyFailed": str(only_failed).lower()}
        self._ask("POST", f"{self._path}/restart", params=options)

    def _ask(
        self,
        method: str,
        path: str,
        *,
        accept: tuple[HTTPStatus, ...] = (),
        json: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        try:
            answer = self._http.request(method, path, json=json, params=params)
        except httpx.HTTPError as error:
            raise TransientError(f"Kafka Connect at {self._http.base_url} does not answer: {error!r}") from error
        message = _message(answer)
        reason = f"{method} {path}: HTTP {answer.status_code}: {message}"
        if answer.status_code == HTTPStatus.NOT_FOUND and not message:  # the web server runs, Connect does not yet
            raise TransientError(f"Kafka Connect at {self._http.base_url} is starting: {reason}")
        if answer.is_success or answer.status_code in accept:
            return answer
        if answer.status_code in _BUSY:
            raise TransientError(f"Kafka Connect can't do it now: {reason}")
        raise ConfigurationError(f"Kafka Connect refuses: {reason}")


def _message(answer: httpx.Response) -> str:
    """What Connect says of an error; empty where the answer is not Connect's."""
    try:
        document = answer.json()
    except ValueError:
        return ""
    return str(document.get("message", "")) if isinstance(document, dict) else ""
