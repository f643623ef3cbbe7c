"""The report API and the page."""

from __future__ import annotations

from local import probes
from local.services.base import Service, Stack, python_module
from local.settings import HOST


def services(stack: Stack) -> list[Service]:
    api = f"{stack.local.scheme}://{HOST}:{stack.local.report_api_port}"
    page = f"{stack.local.scheme}://{HOST}:{stack.local.dashboard_port}"
    return [
        Service(
            name="report-api",
            title="Report API",
            command=python_module("dashboard_api"),
            probe=probes.http(f"{api}/readyz", ca_file=stack.local.ca_file),
            needs=("postgres",),
            address=api,
        ),
        Service(
            name="dashboard",
            title="Dashboard",
            command=python_module("dashboard_ui"),
            probe=probes.http(f"{page}/_stcore/health", ca_file=stack.local.ca_file),
            needs=("report-api",),
            address=page,
        ),
    ]
