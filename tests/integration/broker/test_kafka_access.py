"""Who gets into Kafka, and who is refused: the stack's own broker, asked with librdkafka's plain configuration."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AclOperation, AdminClient, NewTopic, ResourceType

from broker.access import Grant, bindings, ensure_access, ensure_users
from clickpulse.certificates import ensure_certificates
from clickpulse.clients import kafka_admin
from clickpulse.settings import PRINCIPALS, KafkaSettings, Principal, SinkSettings, certs_dir

ANSWER_SECONDS = 15
REFUSED = {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED}
CUT_OFF = {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN}
"""What a client sees of a broker that closes the connection: here the very broker that others get into."""

pytestmark = pytest.mark.usefixtures("stack")


def config_of(principal: Principal, **changes: str) -> dict[str, Any]:
    config = KafkaSettings.load_for(principal).client_config()
    return config | {name.replace("_", "."): value for name, value in changes.items()}


def errors_of_connecting(config: dict[str, Any]) -> set[int]:
    """The errors librdkafka reports until it gives up getting the broker's metadata."""
    seen: list[KafkaError] = []
    consumer = Consumer(config | {"group.id": "nobody", "error_cb": seen.append})
    try:
        with pytest.raises(KafkaException):
            consumer.list_topics(timeout=5)
        consumer.poll(0)
    finally:
        consumer.close()
    return {error.code() for error in seen}


def written(config: dict[str, Any], topic: str) -> KafkaError | None:
    """What the broker answers to one message."""
    answers: list[KafkaError | None] = []
    producer = Producer(config | {"delivery.timeout.ms": ANSWER_SECONDS * 1000})
    producer.produce(topic, b"hello", on_delivery=lambda error, _message: answers.append(error))
    producer.flush(ANSWER_SECONDS + 5)
    (answer,) = answers
    return answer


def read(config: dict[str, Any], topic: str, group: str) -> KafkaError | bytes | None:
    """What a member of the group gets first from partition 0: an error or a message's bytes."""
    consumer = Consumer(config | {"group.id": group, "enable.auto.commit": False})
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        message = consumer.poll(ANSWER_SECONDS)
    finally:
        consumer.close()
    if message is None:
        return None
    error: KafkaError | None = message.error()
    value: bytes | None = message.value()
    return error or value


@pytest.fixture
def foreign_topic() -> Iterator[str]:
    """A topic that no user has a right to, with one message in it."""
    settings = KafkaSettings.load_for("admin")
    name = f"test-foreign-{uuid.uuid4().hex[:8]}"
    admin = kafka_admin(settings)
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(timeout=ANSWER_SECONDS)
    assert written(settings.client_config(), name) is None
    yield name
    admin.delete_topics([name])[name].result(timeout=ANSWER_SECONDS)


@pytest.mark.parametrize("principal", PRINCIPALS)
def test_each_user_gets_in_with_its_own_password(principal: Principal) -> None:
    admin = AdminClient(config_of(principal))
    assert admin.list_topics(timeout=ANSWER_SECONDS).brokers


def test_a_client_without_tls_and_credentials_is_refused() -> None:
    plain = {"bootstrap.servers": KafkaSettings.load().bootstrap_servers, "log_level": 0}
    assert errors_of_connecting(plain) & CUT_OFF


def test_a_client_with_tls_but_without_credentials_is_refused() -> None:
    config = config_of("producer", security_protocol="SSL")
    for name in ("sasl.mechanism", "sasl.username", "sasl.password"):
        del config[name]
    assert errors_of_connecting(config | {"log_level": 0}) & CUT_OFF


def test_a_wrong_password_is_refused() -> None:
    assert KafkaError._AUTHENTICATION in errors_of_connecting(config_of("producer", sasl_password="wrong"))


def test_a_user_that_does_not_exist_is_refused() -> None:
    assert KafkaError._AUTHENTICATION in errors_of_connecting(config_of("producer", sasl_username="mallory"))


def test_another_ca_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = config_of("producer")
    monkeypatch.setenv("CLICKPULSE_CREDS_DIR", str(tmp_path))
    ensure_certificates()
    config |= {"ssl.ca.location": str(certs_dir() / "ca.crt"), "log_level": 0}
    assert KafkaError._SSL in errors_of_connecting(config)


@pytest.mark.parametrize("principal", ["producer", "sink", "connect", "report", "viewer"])
def test_a_user_without_the_right_may_not_write(principal: Principal, foreign_topic: str) -> None:
    error = written(config_of(principal), foreign_topic)
    assert error is not None
    assert error.code() in REFUSED


@pytest.mark.parametrize("principal", ["producer", "sink", "connect", "report"])
def test_a_user_without_the_right_may_not_read(principal: Principal, foreign_topic: str) -> None:
    answer = read(config_of(principal), foreign_topic, f"test-{uuid.uuid4()}")
    assert isinstance(answer, KafkaError)
    assert answer.code() in REFUSED


def test_the_same_topic_is_open_to_the_admin_and_to_the_viewer(foreign_topic: str) -> None:
    for principal in ("admin", "viewer"):
        assert read(config_of(principal), foreign_topic, "test-open") == b"hello"


@pytest.mark.parametrize("principal", ["sink", "connect", "report", "viewer"])
def test_only_the_producer_may_write_events(principal: Principal) -> None:
    error = written(config_of(principal), KafkaSettings.load().topic)
    assert error is not None
    assert error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED


def test_the_producer_may_not_read_events() -> None:
    answer = read(config_of("producer"), KafkaSettings.load().topic, "test-reads")
    assert isinstance(answer, KafkaError)
    assert answer.code() in REFUSED


def test_the_sink_may_not_commit_for_another_group() -> None:
    admin = AdminClient(config_of("sink"))
    offsets = ConsumerGroupTopicPartitions("somebody-elses", [TopicPartition(KafkaSettings.load().topic, 0, 0)])
    (answer,) = admin.alter_consumer_group_offsets([offsets]).values()
    with pytest.raises(KafkaException) as refused:
        answer.result(timeout=ANSWER_SECONDS)
    assert refused.value.args[0].code() == KafkaError.GROUP_AUTHORIZATION_FAILED


def test_setting_access_again_takes_surplus_rights_away(foreign_topic: str) -> None:
    kafka, sink = KafkaSettings.load_for("admin"), SinkSettings.load()
    admin = kafka_admin(kafka)
    surplus = bindings("producer", (Grant(ResourceType.TOPIC, foreign_topic, (AclOperation.WRITE,)),))
    for answer in admin.create_acls(surplus).values():
        answer.result(timeout=ANSWER_SECONDS)
    assert written(config_of("producer"), foreign_topic) is None
    for _ in range(2):
        ensure_users(admin)
        ensure_access(admin, kafka, sink)
    error = written(config_of("producer"), foreign_topic)
    assert error is not None
    assert error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED


def test_no_password_is_in_a_command_line(stack: Path) -> None:
    import psutil

    from clickpulse.credentials import CREDENTIALS

    passwords = {
        line.partition("=")[2]
        for name in CREDENTIALS
        for line in (stack / "creds" / f"{name}.creds").read_text().splitlines()
        if "PASSWORD" in line or "TOKEN" in line or "SECRET" in line
    }
    assert len(passwords) > 8
    shown = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    assert not [line for line in shown if any(password in line for password in passwords)]
