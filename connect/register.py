"""`python -m connect.register`: register the connector with a running worker; doing it again changes nothing."""

from __future__ import annotations

import sys

import stamina
import structlog

from clickpulse.errors import ClickpulseError, TransientError
from clickpulse.logs import configure_logging
from clickpulse.settings import ClickHouseSettings, ConnectSettings, KafkaSettings, SinkSettings
from connect.connector import connector_config
from connect.rest import ConnectRest

WAIT_SECONDS = 60
log = structlog.get_logger()


def register(connect: ConnectSettings, *, wait_seconds: float) -> bool:
    """Make the connector what the settings say; whether something changed.

    Raises:
        ConfigurationError: Connect refuses it.
        TransientError: the worker did not do it within `wait_seconds`.
    """
    config = connector_config(connect, KafkaSettings.load(), ClickHouseSettings.load(), SinkSettings.load())
    with ConnectRest(str(connect.url), connect.connector_name) as rest:
        for attempt in stamina.retry_context(on=TransientError, attempts=None, timeout=wait_seconds, wait_max=2):
            with attempt:
                changed = rest.register(config)
    return changed


def main() -> int:
    """The exit status is 1 if the connector is not registered."""
    configure_logging("connect")
    connect = ConnectSettings.load()
    try:
        changed = register(connect, wait_seconds=WAIT_SECONDS)
    except ClickpulseError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - this is a command
        return 1
    log.info("registered", connector=connect.connector_name, changed=changed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
