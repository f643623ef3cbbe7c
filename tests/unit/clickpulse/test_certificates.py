"""The private CA and the certificates it signs, checked with OpenSSL through Python's `ssl`."""

from __future__ import annotations

import socket
import ssl
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clickpulse.certificates import SERVERS, ensure_certificates
from clickpulse.errors import ConfigurationError
from clickpulse.settings import certs_dir

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLICKPULSE_CREDS_DIR", str(tmp_path))
    return certs_dir()


def issued(**arguments) -> set[str]:
    return {certificate.name for certificate in ensure_certificates(**arguments) if certificate.issued}


def handshake(server: str, host: str, trusted: Path) -> str:
    """Connect to a server with the certificate of `server`; returns the TLS version, raises what the client says."""
    served, asking = socket.socketpair()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certs_dir() / f"{server}.crt", certs_dir() / f"{server}.key")

    def serve() -> None:
        try:
            context.wrap_socket(served, server_side=True).recv(1)
        except ssl.SSLError:
            served.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with ssl.create_default_context(cafile=trusted).wrap_socket(asking, server_hostname=host) as client:
            client.send(b"x")
            return str(client.version())
    finally:
        asking.close()
        thread.join(timeout=10)
        served.close()


@pytest.mark.parametrize("server", SERVERS)
def test_clients_that_trust_the_ca_accept_every_name_of_a_server(server: str, folder: Path) -> None:
    ensure_certificates()
    for host in ("localhost", "127.0.0.1", *SERVERS[server]):
        assert handshake(server, host, folder / "ca.crt") == "TLSv1.3"
    with pytest.raises(ssl.SSLCertVerificationError, match="not valid for"):
        handshake(server, "elsewhere.example", folder / "ca.crt")


def test_a_client_of_another_ca_refuses(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ensure_certificates()
    monkeypatch.setenv("CLICKPULSE_CREDS_DIR", str(tmp_path / "other"))
    ensure_certificates()
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake("kafka", "kafka", folder / "ca.crt")


def test_keys_are_private(folder: Path) -> None:
    ensure_certificates()
    keys = [*folder.glob("*.key"), *folder.glob("*.pem")]
    assert len(keys) == 1 + 2 * len(SERVERS)
    assert {stat.S_IMODE(file.stat().st_mode) for file in keys} == {0o600}


def test_a_second_run_keeps_everything(folder: Path) -> None:
    assert issued(now=NOW) == set(SERVERS)
    before = {file: file.read_bytes() for file in folder.iterdir()}
    assert issued(now=NOW + timedelta(days=360)) == set()
    assert {file: file.read_bytes() for file in folder.iterdir()} == before


def test_what_expires_within_a_month_is_renewed_under_the_same_ca(folder: Path) -> None:
    ensure_certificates(now=NOW)
    authority = (folder / "ca.crt").read_bytes()
    assert issued(now=NOW + timedelta(days=370)) == set(SERVERS)
    assert (folder / "ca.crt").read_bytes() == authority


def test_one_certificate_can_be_renewed() -> None:
    ensure_certificates()
    assert issued(renew=["s3"]) == {"s3"}


def test_a_renewed_ca_signs_all_anew_and_the_old_one_stays_trusted(folder: Path) -> None:
    ensure_certificates()
    old = (folder / "ca.crt").read_text()
    assert issued(renew=["ca"]) == set(SERVERS)
    bundle = (folder / "ca.crt").read_text()
    assert bundle.endswith(old)
    assert bundle.count("BEGIN CERTIFICATE") == 2
    assert handshake("kafka", "kafka", folder / "ca.crt") == "TLSv1.3"


def test_an_expired_ca_leaves_the_bundle(folder: Path) -> None:
    ensure_certificates(now=NOW - timedelta(days=4000))
    ensure_certificates(now=NOW)
    assert (folder / "ca.crt").read_text().count("BEGIN CERTIFICATE") == 1


def test_a_further_name_is_in_every_certificate_and_kept(folder: Path) -> None:
    ensure_certificates()
    assert issued(hosts=["clicks.example"]) == set(SERVERS)
    assert issued() == set()
    assert handshake("report_api", "clicks.example", folder / "ca.crt") == "TLSv1.3"


def test_a_missing_key_is_made_anew(folder: Path) -> None:
    ensure_certificates()
    (folder / "kafka.key").unlink()
    assert issued() == {"kafka"}


def test_an_unknown_name_is_told() -> None:
    with pytest.raises(ConfigurationError, match=r"kafak: no such certificate; there are ca, kafka,"):
        ensure_certificates(renew=["kafak"])
