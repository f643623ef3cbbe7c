"""Airflow: the API server with its UI, the scheduler with its executor, and the DAG processor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
from dotenv import dotenv_values

from clickpulse.credentials import write_airflow_passwords
from clickpulse.settings import PROJECT_ROOT, creds_dir, env_dir, home_dir
from local import probes
from local.services.base import Service, Stack, python_module, run_step
from local.settings import HOST, SINK_SERVICES, log_dir, run_dir


def environment(stack: Stack) -> dict[str, str]:
    """Airflow's settings: `env/airflow.env`, the generated secrets, and this stack's addresses."""
    committed = dotenv_values(env_dir() / "airflow.env")
    secrets = dotenv_values(creds_dir() / "airflow.creds")
    address = f"http://{HOST}:{stack.local.airflow_port}"
    here = {
        "AIRFLOW_HOME": str(home_dir() / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT_ROOT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(run_dir() / "airflow-passwords.json"),
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": stack.postgres_url.replace(
            "postgresql:", "postgresql+psycopg2:"
        ).replace("/postgres", "/airflow"),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(log_dir() / "airflow"),
        "AIRFLOW__SCHEDULER__CHILD_PROCESS_LOG_DIRECTORY": str(log_dir() / "airflow" / "processor"),
    }
    named = {name: value for name, value in (committed | secrets).items() if value is not None}
    return {name: value for name, value in named.items() if name != "AIRFLOW_ADMIN_PASSWORD"} | here


def _component(address: str, name: str) -> probes.Probe:
    def healthy(answer: httpx.Response) -> bool:
        return bool(answer.json().get(name, {}).get("status") == "healthy")

    return probes.http(f"{address}/api/v2/monitor/health", accept=healthy)


def services(stack: Stack) -> list[Service]:
    address = f"http://{HOST}:{stack.local.airflow_port}"
    settings = environment(stack)

    def configure() -> None:
        Path(settings["AIRFLOW_HOME"]).mkdir(parents=True, exist_ok=True)
        write_airflow_passwords(run_dir() / "airflow-passwords.json")
        run_step(
            python_module("airflow", "db", "migrate"), {**stack.environment, **settings}, log_dir() / "airflow-db.log"
        )

    def service(
        name: str, title: str, arguments: list[str], probe: probes.Probe, needs: tuple[str, ...], *,
        configure: Callable[[], object] | None = None, shown: str = "",
    ) -> Service:  # fmt: skip
        return Service(
            name=name, title=title, command=python_module("airflow", *arguments), probe=probe, needs=needs,
            environment=settings, address=shown, configure=configure, start_seconds=240, stop_seconds=30,
        )  # fmt: skip

    port = str(stack.local.airflow_port)
    return [
        service(
            "airflow-api",
            "Airflow API and UI",
            ["api-server", "--host", HOST, "--port", port, "--workers", "1"],
            # Built at its first request, which would otherwise be the first task's.
            probes.http(f"{address}/execution/health"),
            ("postgres",),
            configure=configure,
            shown=address,
        ),
        service(
            "airflow-dag-processor",
            "Airflow DAG processor",
            ["dag-processor"],
            _component(address, "dag_processor"),
            ("airflow-api",),
        ),
        service(
            "airflow-scheduler",
            "Airflow scheduler",
            ["scheduler", "--skip-serve-logs"],
            _component(address, "scheduler"),
            ("airflow-api", "clickhouse", SINK_SERVICES[stack.local.sink], "spark", "report-api"),
        ),
    ]
