"""TLS by setting: what servers show, and whom clients trust. TLS 1.2 is the oldest version that is spoken."""

from __future__ import annotations

import ssl
from functools import lru_cache
from pathlib import Path
from typing import Any

from clickpulse.errors import ConfigurationError

TRUST_STORE_PASSWORD = "changeit"  # noqa: S105 - it guards public certificates; Java's own default


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """A server's context with its certificate, followed by those of its issuers, and the key (both PEM).

    Raises:
        ConfigurationError: they can't be read, or don't belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"the certificate {certificate} with the key {key} can't be used: {error.strerror or error}; "
            "`clickpulse certs` makes both"
        ) from error
    return context


def uvicorn_options(certificate: Path | None, key: Path | None) -> dict[str, Any]:
    """Uvicorn's settings for https; none where there is no certificate.

    Raises:
        ConfigurationError: the certificate or the key is missing or can't be used.
    """
    if certificate is None and key is None:
        return {}
    if certificate is None or key is None:
        raise ConfigurationError("TLS needs a certificate and its key: set both …_TLS_CERT and …_TLS_KEY, or neither")
    context = server_context(certificate, key)
    return {"ssl_context_factory": lambda *_: context}


def client_context(ca_file: Path | None) -> ssl.SSLContext:
    """A client's context that trusts the authorities in `ca_file` (PEM) alone; without one, those of the system.

    The same for as long as the file is the same: reading the system's takes 50 ms.

    Raises:
        ConfigurationError: the file can't be read or holds no certificate.
    """
    try:
        return _client_context(ca_file, ca_file.stat().st_mtime_ns if ca_file else 0)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"the certificate authorities in {ca_file} can't be read: {error.strerror or error}; "
            "`clickpulse certs` makes a private authority, with ca.crt for clients"
        ) from error


@lru_cache(maxsize=8)
def _client_context(ca_file: Path | None, _changed_at: int) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file)


def java_trust_options(ca_file: Path | None) -> list[str]:
    """Options of a JVM that trusts the authorities in `ca_file` alone; none without one.

    Java does not read PEM: beside `ca.crt` there has to be `ca.p12`.

    Raises:
        ConfigurationError: there is none.
    """
    if ca_file is None:
        return []
    store = ca_file.with_suffix(".p12")
    if not store.is_file():
        raise ConfigurationError(
            f"Java wants the authorities in {ca_file} as {store} (PKCS #12, password {TRUST_STORE_PASSWORD}): "
            "`clickpulse certs` makes it for the private one; for another use "
            f"`keytool -importcert -file {ca_file} -keystore {store} -storetype PKCS12`"
        )
    return [
        f"-Djavax.net.ssl.trustStore={store}",
        "-Djavax.net.ssl.trustStoreType=PKCS12",
        f"-Djavax.net.ssl.trustStorePassword={TRUST_STORE_PASSWORD}",
    ]
