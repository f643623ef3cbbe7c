"""Kafka's users and what each may do; everything else is refused."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from clickpulse.errors import ConfigurationError, TransientError
from clickpulse.settings import PRINCIPALS, KafkaSettings, Principal, SinkSettings

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

log = structlog.get_logger()

CONNECT_PREFIX = "clickpulse-connect"
"""Kafka Connect's groups and its own topics begin with it."""

_ITERATIONS = 4096
_ANSWER_SECONDS = 10


@dataclass(frozen=True)
class Grant:
    """A right: `operations` on one resource, or on all whose names begin with it."""

    resource: ResourceType
    name: str
    operations: tuple[AclOperation, ...]
    prefix: bool = False


def grants(kafka: KafkaSettings, sink: SinkSettings) -> dict[Principal, tuple[Grant, ...]]:
    """What each user may do. `admin` is not here: it is the super user that the broker is formatted with."""
    topic, group, cluster = ResourceType.TOPIC, ResourceType.GROUP, ResourceType.BROKER
    read, write, create = AclOperation.READ, AclOperation.WRITE, AclOperation.CREATE
    describe, configs = AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS
    read_events = Grant(topic, kafka.topic, (read, describe))
    write_dead_letters = Grant(topic, kafka.dead_letter_topic, (write, describe))
    return {
        "producer": (Grant(topic, kafka.topic, (write, describe)), write_dead_letters),
        "sink": (read_events, write_dead_letters, Grant(group, sink.group_id, (read, describe))),
        "connect": (
            read_events,
            write_dead_letters,
            Grant(group, sink.group_id, (read, describe)),
            Grant(group, CONNECT_PREFIX, (read, describe), prefix=True),
            Grant(topic, CONNECT_PREFIX, (read, write, create, describe, configs), prefix=True),
        ),
        # How far the sink has come is all that the report's first step asks; it reads no event.
        "report": (
            Grant(topic, kafka.topic, (describe,)),
            Grant(group, sink.group_id, (describe,)),
            Grant(group, CONNECT_PREFIX, (describe,), prefix=True),
        ),
        "viewer": (
            Grant(topic, "*", (read, describe, configs)),
            Grant(group, "*", (describe,)),
            Grant(cluster, "kafka-cluster", (describe, configs)),
        ),
    }


def ensure_users(admin: AdminClient) -> None:
    """Give every user the password of its `.creds` file.

    Raises:
        ConfigurationError: a user has no file.
        TransientError: the broker did not do it.
    """
    changes = []
    for principal in PRINCIPALS:
        if principal == "admin":
            continue
        name, password = KafkaSettings.load_for(principal).login()
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, _ITERATIONS)
        changes.append(UserScramCredentialUpsertion(name, info, password.encode(), secrets.token_bytes(32)))
    try:
        for answer in admin.alter_user_scram_credentials(changes).values():
            answer.result(timeout=_ANSWER_SECONDS)
    except KafkaException as error:
        raise TransientError(f"Kafka did not take the users: {error.args[0].str()}") from error
    log.info("users_set", users=[change.user for change in changes])


def ensure_access(admin: AdminClient, kafka: KafkaSettings, sink: SinkSettings) -> None:
    """Make the access list what `grants` says: add what is missing, take away what these users have beyond it.

    Raises:
        ConfigurationError: the broker refuses.
    """
    wanted = {binding for principal, rights in grants(kafka, sink).items() for binding in bindings(principal, rights)}
    try:
        present = {
            binding
            for principal in grants(kafka, sink)
            for binding in admin.describe_acls(_everything_of(principal)).result(timeout=_ANSWER_SECONDS)
        }
        if missing := sorted(wanted - present):
            for answer in admin.create_acls(missing).values():
                answer.result(timeout=_ANSWER_SECONDS)
        if surplus := sorted(present - wanted):
            for answer in admin.delete_acls([_only(binding) for binding in surplus]).values():
                answer.result(timeout=_ANSWER_SECONDS)
    except KafkaException as error:
        raise ConfigurationError(f"Kafka refuses to set who may do what: {error.args[0].str()}") from error
    log.info("access_set", added=len(missing), removed=len(surplus), unchanged=len(wanted & present))


def bindings(principal: Principal, rights: tuple[Grant, ...]) -> list[AclBinding]:
    """Kafka's form of the rights: an entry for each operation, from any host."""
    return [
        AclBinding(
            grant.resource,
            grant.name,
            ResourcePatternType.PREFIXED if grant.prefix else ResourcePatternType.LITERAL,
            f"User:{principal}",
            "*",
            operation,
            AclPermissionType.ALLOW,
        )
        for grant in rights
        for operation in grant.operations
    ]


def _everything_of(principal: Principal) -> AclBindingFilter:
    return AclBindingFilter(
        ResourceType.ANY, None, ResourcePatternType.ANY, f"User:{principal}", None, AclOperation.ANY,
        AclPermissionType.ANY,
    )  # fmt: skip


def _only(binding: AclBinding) -> AclBindingFilter:
    return AclBindingFilter(
        binding.restype, binding.name, binding.resource_pattern_type, binding.principal, binding.host,
        binding.operation, binding.permission_type,
    )  # fmt: skip
