"""Does a server of Spark's work? Exits with 0, or with 1 and says what is wrong.

    python -m spark.health master|worker|connect|history

For the health checks of containers: it runs beside the server, with the same settings, and imports little.
"""

from __future__ import annotations

import json
import socket
import sys
import urllib.error
import urllib.request

from clickpulse.errors import ClickpulseError, ConfigurationError
from clickpulse.settings import SparkSettings
from spark.settings import SparkClusterSettings

_SECONDS = 3.0


def problem(role: str) -> str | None:
    """What is wrong with the server, None if nothing is.

    Raises:
        ConfigurationError: there is no such role.
    """
    cluster = SparkClusterSettings.load()
    here = SparkSettings.load().local_ip or "127.0.0.1"
    match role:
        case "master":
            return _page(f"http://{here}:{cluster.master_webui_port}/json/", "status", "ALIVE")
        case "worker":
            return _page(f"http://{here}:{cluster.worker_webui_port}/json/", "id", None)
        case "history":
            return _page(f"http://{here}:{cluster.history_port}/api/v1/applications?limit=1", None, None)
        case "connect":
            return _port(here if cluster.connect_host == "0.0.0.0" else cluster.connect_host, cluster.connect_port)  # noqa: S104
        case _:
            raise ConfigurationError(f"{role!r} is no server of Spark's: master, worker, connect or history")


def _page(url: str, key: str | None, wanted: str | None) -> str | None:
    try:
        with urllib.request.urlopen(url, timeout=_SECONDS) as answer:  # noqa: S310 - always http
            document = json.load(answer)
    except (OSError, urllib.error.URLError, ValueError) as error:
        return f"{url}: {error}"
    if key is None or (document.get(key) and wanted in {None, document[key]}):
        return None
    return f"{url}: {key} is {document.get(key)!r}"


def _port(host: str, port: int) -> str | None:
    try:
        socket.create_connection((host, port), timeout=_SECONDS).close()
    except OSError as error:
        return f"{host}:{port}: {error}"
    return None


def main() -> None:
    try:
        wrong = problem(sys.argv[1] if len(sys.argv) > 1 else "")
    except ClickpulseError as error:
        wrong = str(error)
    if wrong:
        sys.exit(f"not healthy: {wrong}")


if __name__ == "__main__":
    main()
