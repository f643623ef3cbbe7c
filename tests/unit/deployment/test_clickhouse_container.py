"""ClickHouse's users of the distributed profile have the rights of the embedded server's, with limits."""

from __future__ import annotations

import hashlib
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from clickpulse.credentials import generate_credentials
from clickpulse.derived_secrets import derive_files, raw_dir
from clickpulse.settings import PROJECT_ROOT, ClickHouseSettings

CONTAINER = PROJECT_ROOT / "clickhouse" / "container"


def _grants(root: ET.Element, path: str) -> set[str]:
    found = root.find(path)
    assert found is not None
    return {str(query.text) for query in found.iter("query")}


def test_the_rights_are_those_that_are_tested_with_the_embedded_server() -> None:
    embedded = ET.parse(PROJECT_ROOT / "clickhouse" / "server" / "users.xml").getroot()
    server = ET.parse(CONTAINER / "users.d" / "clickpulse.xml").getroot()
    assert _grants(server, "users/reader/grants") == _grants(embedded, "roles/reader/grants")
    more = _grants(server, "users/clickpulse/grants") - _grants(embedded, "roles/writer/grants")
    assert more == {"GRANT BACKUP ON *.*"}
    assert _grants(server, "users/clickpulse/grants") >= _grants(embedded, "roles/writer/grants")


def test_there_is_no_user_without_a_password_and_no_default_user() -> None:
    users = ET.parse(CONTAINER / "users.d" / "clickpulse.xml").getroot().find("users")
    assert users is not None
    default = users.find("default")
    assert default is not None
    assert default.get("remove") == "remove"
    assert {user.tag for user in users} == {"default", "clickpulse", "reader"}
    assert not list(users.iter("password"))
    assert not list(users.iter("no_password"))


def test_the_reader_is_limited_and_can_not_lift_it() -> None:
    reader = ET.parse(CONTAINER / "users.d" / "clickpulse.xml").getroot().find("profiles/reader")
    assert reader is not None
    limits = {"max_execution_time", "max_memory_usage", "max_threads", "max_result_rows"}
    assert limits <= {setting.tag for setting in reader}
    constraints = reader.find("constraints")
    assert constraints is not None
    assert {one.tag for one in constraints if one.find("readonly") is not None} == limits


def test_the_passwords_are_those_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKPULSE_CREDS_DIR", str(tmp_path))
    generate_credentials()
    derive_files()
    users = ET.parse(raw_dir() / "clickhouse_users.xml").getroot().find("users")
    assert users is not None
    settings = ClickHouseSettings.load()
    wanted = {settings.user: settings.password, settings.reader_user: settings.reader_password}
    assert {user.tag: user.findtext("password_sha256_hex") for user in users} == {
        name: hashlib.sha256(password.get_secret_value().encode()).hexdigest() for name, password in wanted.items()
    }


def test_every_configuration_file_is_whole() -> None:
    files = [*CONTAINER.glob("*.xml"), *CONTAINER.glob("*/*.xml")]
    assert len(files) == 3
    for file in files:
        assert ET.parse(file).getroot().tag == "clickhouse"
