"""`python -m clickpulse.healthcheck URL`: is the service at URL well? The health checks of the containers.

    http://127.0.0.1:8000/readyz                              an answer with 2xx
    http://…/monitor/health --member scheduler.status=healthy … and that value in its JSON
    http://127.0.0.1:8793/ --any-answer                       any HTTP answer
    tls://127.0.0.1:9092                                      a TLS handshake
    tcp://127.0.0.1:15002                                     a connection
    file:///tmp/producer.json                                 a file that was written in the last minute

Only the standard library, no settings and no proxy: it runs every few seconds in every container. TLS trusts the
private CA at `--ca`, by default where a container has it, and the system's where that file doesn't exist.
"""

from __future__ import annotations

import argparse
import http.client
import json
import socket
import ssl
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

_SCHEMES = ("http", "https", "tls", "tcp", "file")
_FRESH_SECONDS = 60
_CA = Path("/run/secrets/certs/ca.crt")


def problem(url: str, *, ca: Path, member: str | None = None, any_answer: bool = False, timeout: float = 3) -> str:
    """What is wrong with the service; empty where nothing is.

    Args:
        url: its address: `http`, `https`, `tls` or `tcp`; or a `file` that it keeps writing.
        ca: PEM file of a private CA; the system's are trusted where it doesn't exist.
        member: `path.to.member=value` in the answer's JSON.
        any_answer: an error's status is an answer as well.
        timeout: seconds, of each step.
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        return _stale(Path(parts.path))
    if parts.scheme not in _SCHEMES or not parts.hostname or not parts.port:
        return f"{url!r} is no address: write it as scheme://host:port with one of {', '.join(_SCHEMES)}"
    try:
        if parts.scheme in {"tcp", "tls"}:
            return _connect(parts, ca, timeout)
        status, body = _get(parts, ca, timeout)
    except (OSError, http.client.HTTPException) as error:
        return f"{url}: {type(error).__name__}: {error}"
    if not any_answer and not http.HTTPStatus.OK <= status < http.HTTPStatus.MULTIPLE_CHOICES:
        return f"{url}: HTTP {status}"
    return _mismatch(url, body, member) if member else ""


def _stale(file: Path) -> str:
    try:
        age = time.time() - file.stat().st_mtime
    except OSError as error:
        return f"{file}: {error.strerror}"
    return f"{file} was last written {age:.0f} s ago" if age > _FRESH_SECONDS else ""


def _connect(parts: SplitResult, ca: Path, timeout: float) -> str:
    host, port = parts.hostname or "", parts.port or 0
    with socket.create_connection((host, port), timeout=timeout) as connection:
        if parts.scheme == "tls":
            _context(ca).wrap_socket(connection, server_hostname=host).close()
    return ""


def _get(parts: SplitResult, ca: Path, timeout: float) -> tuple[int, bytes]:
    host, port = parts.hostname or "", parts.port or 0
    connection = (
        http.client.HTTPSConnection(host, port, timeout=timeout, context=_context(ca))
        if parts.scheme == "https"
        else http.client.HTTPConnection(host, port, timeout=timeout)
    )
    try:
        connection.request("GET", f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}")
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _context(ca: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(ca) if ca.is_file() else None)


def _mismatch(url: str, body: bytes, member: str) -> str:
    path, _, wanted = member.partition("=")
    try:
        found: Any = json.loads(body)
        for name in path.split("."):
            found = found[name]
    except (ValueError, KeyError, TypeError):
        return f"{url}: its answer has no {path}"
    return "" if str(found) == wanted else f"{url}: {path} is {found}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Status 1 with the reason on standard error when the service is not well."""
    parser = argparse.ArgumentParser(prog="python -m clickpulse.healthcheck", description="Is the service well?")
    parser.add_argument("url")
    parser.add_argument("--member", help="path.to.member=value in the answer's JSON")
    parser.add_argument("--any-answer", action="store_true", help="an HTTP error is an answer as well")
    parser.add_argument("--ca", type=Path, default=_CA, help="PEM file of the private CA [default: %(default)s]")
    given = parser.parse_args(arguments)
    found = problem(given.url, ca=given.ca, member=given.member, any_answer=given.any_answer)
    if found:
        sys.stderr.write(found + "\n")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
