"""How Java's Kafka clients and brokers are told a SCRAM login."""

from __future__ import annotations

_MODULE = "org.apache.kafka.common.security.scram.ScramLoginModule"


def jaas_line(name: str, password: str) -> str:
    """The value of `sasl.jaas.config`; both may be references that a configuration provider resolves."""
    return f'{_MODULE} required username="{name}" password="{password}";'
