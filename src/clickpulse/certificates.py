"""A private certificate authority, and a certificate for each server, in `creds_dir()/certs`.

`ca.crt` is what clients trust (`ca.p12` for Java's), `ca.key` signs and never leaves the machine that made it. Each
server has `<name>.crt` (certificate, then the CA's), `<name>.key` (PKCS #8) and `<name>.pem` (key, certificate and CA
in one file, which Kafka wants). Elliptic-curve keys (P-256): every client here knows them, and a handshake costs a
tenth of RSA's.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from clickpulse.credentials import write_private
from clickpulse.errors import ConfigurationError
from clickpulse.settings import certs_dir
from clickpulse.tls import TRUST_STORE_PASSWORD

SERVERS: dict[str, tuple[str, ...]] = {
    "kafka": ("kafka", "kafka-1", "kafka-2", "kafka-3"),
    "registry": ("registry",),
    "clickhouse": ("clickhouse",),
    "s3": ("s3",),
    "report_api": ("report-api",),
    "dashboard": ("dashboard",),
    "airflow": ("airflow-api",),
}
"""Server -> the host names it has in the distributed profile; `localhost` and 127.0.0.1 go without saying."""


_LOCAL_NAMES = ("localhost", "127.0.0.1")
_CA_DAYS = 3650
_SERVER_DAYS = 397
RENEW_DAYS = 30
"""A certificate with fewer days left is made anew."""
_BEFORE = timedelta(minutes=5)
"""Clocks differ a little."""


@dataclass(frozen=True)
class Certificate:
    """What `ensure_certificates` did: `ends` is when the certificate expires, UTC."""

    name: str
    hosts: tuple[str, ...]
    ends: datetime
    issued: bool


def ensure_certificates(
    *, renew: Iterable[str] = (), hosts: Sequence[str] = (), now: datetime | None = None
) -> list[Certificate]:
    """Make the CA and the certificates that are missing, expire within `RENEW_DAYS` or lack a name; keep the rest.

    Args:
        renew: servers whose certificates are made anew in any case; `ca` renews the CA and with it all of them,
            while `ca.crt` goes on holding the old one, so that clients trust both.
        hosts: names or addresses that every certificate has in addition; those once given are kept.
        now: UTC, the present where not given.

    Raises:
        ConfigurationError: `renew` names no server.
    """
    renew, moment = set(renew), now or datetime.now(UTC)
    if unknown := renew - {*SERVERS, "ca"}:
        raise ConfigurationError(
            f"{', '.join(sorted(unknown))}: no such certificate; there are ca, {', '.join(SERVERS)}"
        )
    certs_dir().mkdir(parents=True, exist_ok=True, mode=0o700)
    authority, new_authority = _authority(moment, renew="ca" in renew)
    _ensure_trust_store(force=new_authority)
    return [
        _server(name, names, authority, moment, extra=hosts, force=new_authority or name in renew)
        for name, names in SERVERS.items()
    ]


@dataclass(frozen=True)
class _Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def _authority(now: datetime, *, renew: bool) -> tuple[_Authority, bool]:
    """Return the CA, and whether it was made just now."""
    certificate_file, key_file = certs_dir() / "ca.crt", certs_dir() / "ca.key"
    trusted = x509.load_pem_x509_certificates(certificate_file.read_bytes()) if certificate_file.is_file() else []
    if trusted and key_file.is_file() and not renew and _days_left(trusted[0], now) > _SERVER_DAYS:
        return _Authority(trusted[0], _load_key(key_file)), False
    key = ec.generate_private_key(ec.SECP256R1())
    # A name of its own for each CA: with two of one name a client may check a signature with the wrong key.
    subject = _name(f"Clickpulse private CA {now:%Y-%m-%dT%H:%M:%SZ}")
    builder = _builder(subject, subject, key.public_key(), now, _CA_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_key_usage(ca=True), critical=True)
    certificate = builder.sign(key, hashes.SHA256())
    still_trusted = [old for old in trusted if old.not_valid_after_utc > now]
    write_private(key_file, _key_pem(key))
    _write_public(certificate_file, _pem(certificate, *still_trusted))
    return _Authority(certificate, key), True


def _ensure_trust_store(*, force: bool) -> None:
    """Keep `ca.p12`, the certificates of `ca.crt` as Java's clients want them; its password guards nothing secret."""
    store = certs_dir() / "ca.p12"
    if store.is_file() and not force:
        return
    trusted = x509.load_pem_x509_certificates((certs_dir() / "ca.crt").read_bytes())
    entries = [pkcs12.PKCS12Certificate(one, f"ca-{number}".encode()) for number, one in enumerate(trusted)]
    content = pkcs12.serialize_java_truststore(
        entries, serialization.BestAvailableEncryption(TRUST_STORE_PASSWORD.encode())
    )
    _write_public(store, content)


def _server(
    name: str, names: Sequence[str], authority: _Authority, now: datetime, *, extra: Sequence[str], force: bool
) -> Certificate:
    certificate_file, key_file = certs_dir() / f"{name}.crt", certs_dir() / f"{name}.key"
    complete = certificate_file.is_file() and key_file.is_file() and (certs_dir() / f"{name}.pem").is_file()
    known = x509.load_pem_x509_certificate(certificate_file.read_bytes()) if complete else None
    known_hosts = _hosts(known) if known else ()
    hosts = tuple(dict.fromkeys((*_LOCAL_NAMES, *names, *known_hosts, *extra)))
    if known and not force and set(hosts) == set(known_hosts) and _days_left(known, now) > RENEW_DAYS:
        return Certificate(name, hosts, known.not_valid_after_utc, issued=False)
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(_name(name), authority.certificate.subject, key.public_key(), now, _SERVER_DAYS)
    builder = builder.add_extension(
        x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False
    )
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(ca=False), critical=True)
    # Kafka's nodes are also clients of each other.
    uses = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    builder = builder.add_extension(uses, critical=False)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    certificate = builder.add_extension(issuer, critical=False).sign(authority.key, hashes.SHA256())
    chain = _pem(certificate, authority.certificate)
    write_private(key_file, _key_pem(key))
    write_private(certs_dir() / f"{name}.pem", _key_pem(key) + chain)
    _write_public(certificate_file, chain)
    return Certificate(name, hosts, certificate.not_valid_after_utc, issued=True)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca, key_cert_sign=ca, crl_sign=ca, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _hosts(certificate: x509.Certificate) -> tuple[str, ...]:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = (str(address) for address in names.get_values_for_type(x509.IPAddress))
    return (*names.get_values_for_type(x509.DNSName), *addresses)


def _days_left(certificate: x509.Certificate, now: datetime) -> float:
    return (certificate.not_valid_after_utc - now) / timedelta(days=1)


def _load_key(file: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigurationError(f"{file} is no elliptic-curve key: remove {file.parent} to have all made anew")
    return key


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _pem(*certificates: x509.Certificate) -> str:
    return "".join(certificate.public_bytes(serialization.Encoding.PEM).decode() for certificate in certificates)


def _write_public(file: Path, content: str | bytes) -> None:
    part = file.with_name(f".{file.name}.{os.getpid()}")
    part.write_bytes(content if isinstance(content, bytes) else content.encode())
    part.chmod(0o644)
    part.replace(file)
