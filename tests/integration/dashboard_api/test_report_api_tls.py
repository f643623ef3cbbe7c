"""The report API over TLS with a private CA, and its clients."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from clickpulse.clients import report_reader, report_writer
from clickpulse.errors import ConfigurationError, TransientError
from clickpulse.publish import PublishResult, publish_report
from clickpulse.reports import Report
from clickpulse.settings import PROJECT_ROOT, ReportReaderSettings, ReportWriterSettings
from tests.certificates import make_certificates


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificates(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def other_ca(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificates(tmp_path_factory.mktemp("others")) / "ca.crt"


@pytest.fixture
def tls_api(start_api, database_url, certs):
    files = {"REPORT_API_TLS_CERT": certs / "report_api.crt", "REPORT_API_TLS_KEY": certs / "report_api.key"}
    variables = {name: str(file) for name, file in files.items()}
    return start_api(database_url, ca_file=certs / "ca.crt", REPORT_API_OPEN_READS="false", **variables)


def test_reports_are_posted_and_read_over_tls(tls_api, report_json, certs):
    token, ca_file = tls_api.environment["REPORT_API_WRITE_TOKEN"], certs / "ca.crt"
    writer = ReportWriterSettings(url=tls_api.url, write_token=token, ca_file=ca_file)
    reader = ReportReaderSettings(url=tls_api.url, read_token=f"{token}-reader,unknown", ca_file=ca_file)

    with report_writer(writer) as client:
        assert publish_report(client, Report.model_validate(report_json())) is PublishResult.CREATED
    with report_reader(reader) as client:
        assert client.get("/api/v1/reports/latest").json()["window"] == report_json()["window"]
    printed = subprocess.run(
        [sys.executable, "-m", "clickpulse", "report", "--json"],
        cwd=PROJECT_ROOT,
        env=os.environ | tls_api.environment | {"REPORT_API_CA_FILE": str(ca_file)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert report_json()["window"] in printed.stdout


def test_http_old_tls_and_clients_that_trust_others_are_refused(tls_api, report_json, certs, other_ca):
    with pytest.raises(httpx.TransportError):
        httpx.get(tls_api.url.replace("https:", "http:") + "/healthz", timeout=5)
    old = ssl.create_default_context(cafile=certs / "ca.crt")
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{tls_api.url}/healthz", verify=old)
    for ca_file in (other_ca, None):
        settings = ReportWriterSettings(url=tls_api.url, write_token="any", ca_file=ca_file)
        with (
            report_writer(settings) as client,
            pytest.raises(TransientError, match="CERTIFICATE_VERIFY_FAILED"),
        ):
            publish_report(client, Report.model_validate(report_json()))


@pytest.mark.parametrize("missing", ["REPORT_API_TLS_CERT", "REPORT_API_TLS_KEY"])
def test_half_of_a_certificate_is_refused_at_the_start(missing, certs, tmp_path):
    files = {"REPORT_API_TLS_CERT": certs / "report_api.crt", "REPORT_API_TLS_KEY": certs / "report_api.key"}
    environment = {name: str(file) for name, file in files.items() if name != missing}
    environment |= {
        "CLICKPULSE_CREDS_DIR": str(tmp_path),
        "REPORT_API_WRITE_TOKEN": "t",
        "REPORT_API_DATABASE_URL": "postgresql://",
    }
    done = subprocess.run(
        [sys.executable, "-m", "dashboard_api"],
        cwd=PROJECT_ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    assert "_TLS_CERT and" in done.stderr


def test_a_ca_file_that_is_none_is_named(tmp_path):
    (tmp_path / "ca.crt").write_text("nothing")
    settings = ReportReaderSettings(url="https://127.0.0.1:9", ca_file=tmp_path / "ca.crt")

    with pytest.raises(ConfigurationError, match=r"ca\.crt"):
        report_reader(settings)
