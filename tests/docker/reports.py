"""The report API as published on this machine, asked by a reader."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Any

import httpx

from tests.docker.deployment import Deployment
from tests.support import wait_for

REPORT_SECONDS = 480
"""A run by `spark-submit` takes minutes where two cores do everything."""


@dataclass(frozen=True)
class Reports:
    """Reports as JSON."""

    api: httpx.Client

    @classmethod
    def published_by(cls, deployment: Deployment, *, scheme: str = "http") -> Reports:
        token = deployment.secret("report_api_reader", "REPORT_API_READ_TOKEN")
        address = f"{scheme}://127.0.0.1:{deployment.variables['REPORT_API_PUBLISHED_PORT']}"
        trusted = ssl.create_default_context(cafile=deployment.folder / "env" / "certs" / "ca.crt")
        headers = {"Authorization": f"Bearer {token}"}
        return cls(httpx.Client(base_url=address, headers=headers, timeout=10, verify=trusted))

    def of(self, window: object) -> dict[str, Any] | None:
        """The report of a minute, where there is one."""
        answer = self.api.get(f"/api/v1/reports/{window}")
        return answer.json() if answer.is_success else None

    def newest(self) -> list[dict[str, Any]]:
        """The newest reports, newest first."""
        found: list[dict[str, Any]] = (
            self.api.get("/api/v1/reports", params={"limit": 50}).raise_for_status().json()["items"]
        )
        return found

    def await_complete(self, window: object) -> dict[str, Any]:
        """The minute's report, as soon as it has every event."""

        def complete() -> dict[str, Any] | None:
            found = self.of(window)
            return found if found and found["complete"] else None

        return wait_for(complete, seconds=REPORT_SECONDS, what=f"the complete report of {window}")
