"""The embedded server over TLS, and as the client of an S3 that speaks TLS, all with a private CA."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from clickhouse_connect.driver.exceptions import Error
from minio.error import MinioException
from pydantic import AnyHttpUrl
from urllib3 import Retry
from urllib3.exceptions import MaxRetryError

from clickpulse.clients import clickhouse_client, s3_client
from clickpulse.errors import ConfigurationError
from clickpulse.settings import ClickHouseSettings, S3Settings
from local import s3gateway
from tests.certificates import make_certificates
from tests.support import free_port, wait_for

WRITE = (
    "INSERT INTO FUNCTION s3({url:String}, {key:String}, {secret:String}, 'Parquet') SELECT number FROM numbers(1000)"
)
READ = "SELECT sum(number) FROM s3({url:String}, {key:String}, {secret:String}, 'Parquet')"


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificates(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def other_ca(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificates(tmp_path_factory.mktemp("others")) / "ca.crt"


@pytest.fixture(scope="module")
def s3(certs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Settings]:
    """A gateway that speaks https, with a bucket."""
    s3gateway.build()
    folder, port = tmp_path_factory.mktemp("s3"), free_port()
    settings = S3Settings(
        endpoint=f"https://127.0.0.1:{port}",
        access_key="tls-test",
        secret_key="tls-test-secret",
        ca_file=certs / "ca.crt",
    )
    command = [str(s3gateway.binary()), "--port", f"127.0.0.1:{port}", "--quiet"]
    command += ["--cert", str(certs / "s3.crt"), "--key", str(certs / "s3.key"), "posix", str(folder)]
    environment = {"ROOT_ACCESS_KEY": settings.access_key, "ROOT_SECRET_KEY": settings.secret_key.get_secret_value()}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)

    def answers() -> bool:
        with suppress(httpx.TransportError):
            verify = ssl.create_default_context(cafile=certs / "ca.crt")
            return httpx.get(str(settings.endpoint), verify=verify).status_code == 403
        return False

    wait_for(answers, seconds=20, what="the S3 gateway")
    s3_client(settings).make_bucket(settings.bucket)
    yield settings
    process.terminate()
    process.wait(10)


@pytest.fixture
def start(make_server: Callable[..., Any], certs: Path) -> Callable[..., Any]:
    """Start a server over TLS; gives it."""

    def started(**variables: str) -> Any:
        server = make_server(
            CLICKHOUSE_SERVER_TLS_CERT=str(certs / "clickhouse.crt"),
            CLICKHOUSE_SERVER_TLS_KEY=str(certs / "clickhouse.key"),
            CLICKHOUSE_CA_FILE=str(certs / "ca.crt"),
            **variables,
        )
        url = AnyHttpUrl(server.url.replace("http:", "https:"))
        server.settings = server.settings.model_copy(update={"url": url, "ca_file": certs / "ca.crt"})
        verify = ssl.create_default_context(cafile=certs / "ca.crt")
        server.answers = lambda: _pings(server.url, verify)
        return server.start()

    return started


def _pings(url: str, verify: ssl.SSLContext) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(f"{url}ping", verify=verify).text == "Ok.\n"
    return False


def target(s3: S3Settings) -> dict[str, str]:
    return {
        "url": f"{str(s3.endpoint).rstrip('/')}/{s3.bucket}/numbers.parquet",
        "key": s3.access_key,
        "secret": s3.secret_key.get_secret_value(),
    }


def test_clients_and_migrations_work_and_the_engine_writes_to_s3(
    start: Callable[..., Any], s3: S3Settings, certs: Path
) -> None:
    server = start(CLICKHOUSE_SERVER_CA_FILE=str(certs / "ca.crt"))

    migrated = server.migrate()
    assert migrated.returncode == 0, migrated.stderr
    with server.client() as client:
        client.command(WRITE, parameters=target(s3))
        assert client.query(READ, parameters=target(s3)).result_rows == [(499_500,)]
    with server.client(reader=True, database="clickpulse") as reader:
        assert reader.query("SELECT count() FROM events").result_rows == [(0,)]
    assert s3_client(s3).stat_object(s3.bucket, "numbers.parquet").size > 1000


def test_http_and_a_client_that_trusts_others_are_refused(start: Callable[..., Any], other_ca: Path) -> None:
    server = start()

    with pytest.raises(httpx.TransportError):
        httpx.get(server.url.replace("https:", "http:"), timeout=5)
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(server.url, verify=ssl.create_default_context(cafile=other_ca))
    for ca_file in (other_ca, None):
        wrong = server.settings.model_copy(update={"ca_file": ca_file})
        with pytest.raises(Error, match=r"(?i)certificate"):
            clickhouse_client(wrong, database="default")


def test_versions_of_tls_before_1_2_are_refused(start: Callable[..., Any], certs: Path) -> None:
    server = start()

    def ping(version: ssl.TLSVersion) -> str:
        context = ssl.create_default_context(cafile=certs / "ca.crt")
        context.set_ciphers("ALL:@SECLEVEL=0")  # or this side would not even try
        context.minimum_version = context.maximum_version = version
        return httpx.get(f"{server.url}ping", verify=context).text

    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        with pytest.warns(DeprecationWarning, match="TLSv1"), pytest.raises(httpx.ConnectError):
            ping(version)
    assert ping(ssl.TLSVersion.TLSv1_2) == ping(ssl.TLSVersion.TLSv1_3) == "Ok.\n"


def test_the_engine_trusts_no_other_s3(start: Callable[..., Any], s3: S3Settings, other_ca: Path) -> None:
    server = start(CLICKHOUSE_SERVER_CA_FILE=str(other_ca))

    with server.client() as client, pytest.raises(Error, match="certificate verify failed"):
        client.command(WRITE, parameters=target(s3))


def test_s3_clients_that_trust_others_are_refused(s3: S3Settings, other_ca: Path) -> None:
    client = s3_client(s3.model_copy(update={"ca_file": other_ca}))
    client._http.connection_pool_kw["retries"] = Retry(0)

    with pytest.raises((MinioException, MaxRetryError), match="CERTIFICATE_VERIFY_FAILED"):
        client.list_buckets()


@pytest.mark.parametrize("name", ["CLICKHOUSE_SERVER_CA_FILE", "CLICKHOUSE_SERVER_TLS_KEY"])
def test_a_file_that_is_missing_is_named_at_the_start(make_server: Callable[..., Any], certs: Path, name: str) -> None:
    files = {
        "CLICKHOUSE_SERVER_TLS_CERT": str(certs / "clickhouse.crt"),
        "CLICKHOUSE_SERVER_TLS_KEY": str(certs / "clickhouse.key"),
    }
    server = make_server(**files | {name: str(certs / "nothing.pem")})

    assert server.spawn().wait(30) == 1
    assert "nothing.pem" in server.log.read_text()


def test_a_client_says_which_file_it_could_not_read(tmp_path: Path) -> None:
    settings = ClickHouseSettings(
        url="https://127.0.0.1:9", password="p", reader_password="p", ca_file=tmp_path / "no.crt"
    )

    with pytest.raises(ConfigurationError, match=r"no\.crt"):
        clickhouse_client(settings)
