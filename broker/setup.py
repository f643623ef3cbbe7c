"""`python -m broker.setup`: topics, users and access, as the admin. Doing it again changes nothing."""

from __future__ import annotations

import sys

from broker.access import ensure_access, ensure_users
from broker.topics import ensure_topics
from clickpulse.clients import kafka_admin
from clickpulse.errors import ClickpulseError
from clickpulse.logs import configure_logging
from clickpulse.settings import KafkaSettings, SinkSettings

_CONNECT_SECONDS = 60


def main() -> int:
    configure_logging("broker")
    try:
        kafka = KafkaSettings.load_for("admin")
        ensure_topics(kafka, timeout_seconds=_CONNECT_SECONDS)
        if kafka.security_protocol == "SASL_SSL":
            admin = kafka_admin(kafka)
            ensure_users(admin)
            ensure_access(admin, kafka, SinkSettings.load())
    except ClickpulseError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - this is a command
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
