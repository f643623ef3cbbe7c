"""Secrets of the containers: files alone, each made by a command, each given only to those who need it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from dotenv import dotenv_values

from clickpulse.certificates import ensure_certificates
from clickpulse.credentials import generate_credentials
from clickpulse.derived_secrets import derive_files
from clickpulse.settings import PROJECT_ROOT
from tests.unit.deployment.compose_model import VARIANTS, Model, Service, environment, load_model, words

SECRET_NAME = re.compile(r"PASSWORD|SECRET|TOKEN|_KEY$|FERNET|CREDENTIAL", re.IGNORECASE)
NOT_SECRET = re.compile(r"_FILE$|^S3_SERVER_KEY$|_TLS_KEY$")
"""These name files."""
PASSWORD_IN_URL = re.compile(r"://[^/\s:@]*:[^/\s@]+@")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What `clickpulse creds` and `clickpulse certs` make, in the place of `env/`."""
    folder = tmp_path_factory.mktemp("env")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLICKPULSE_CREDS_DIR", str(folder))
        generate_credentials()
        derive_files()
        ensure_certificates()
        yield folder


def _file(model: Model, name: str) -> Path:
    return Path(model["secrets"][name]["file"]).relative_to(PROJECT_ROOT / "env")


def test_no_variable_and_no_command_holds_one(services: dict[str, Service]) -> None:
    for name, service in services.items():
        for variable, value in environment(service).items():
            assert not SECRET_NAME.search(variable) or NOT_SECRET.search(variable), f"{name}: {variable}"
            assert not PASSWORD_IN_URL.search(value), f"{name}: {variable}"
        for word in words(service):
            assert not PASSWORD_IN_URL.search(word), name


def test_no_image_holds_one() -> None:
    for file in PROJECT_ROOT.glob("*/Dockerfile"):
        for variable in re.findall(r"\b([A-Z][A-Z0-9_]+)=", file.read_text()):
            assert not SECRET_NAME.search(variable), f"{file.parent.name}: {variable}"


def test_each_is_a_file_that_the_commands_make(model: Model, made: Path) -> None:
    for name in model["secrets"]:
        assert (made / _file(model, name)).is_file(), name


def test_each_is_ignored_by_git(everything: Model) -> None:
    files = [str(Path("env", _file(everything, name))) for name in everything["secrets"]]
    git = shutil.which("git")
    if git is None or not (PROJECT_ROOT / ".git").exists():
        pytest.skip("this is no checkout")
    done = subprocess.run([git, "check-ignore", *files], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    assert set(done.stdout.split()) == set(files)


def test_each_is_given_to_somebody() -> None:
    for variant in ("every-profile", "tls"):
        model = load_model(VARIANTS[variant])
        given = {secret["source"] for service in model["services"].values() for secret in service.get("secrets", ())}
        # The embedded sink's own, and what only it needs.
        assert set(model["secrets"]) - given == set(), variant


def test_keys_and_passwords_go_to_their_owners_alone(everything: Model) -> None:
    def holders(secret: str) -> set[str]:
        return {
            name
            for name, service in everything["services"].items()
            if secret in {given["source"] for given in service.get("secrets", ())}
        }

    kafka = {"kafka", "kafka-2", "kafka-3"}
    assert holders("kafka_pem") == kafka
    assert holders("kafka_admin") == kafka | {"kafka-setup"}
    assert holders("kafka_producer") == {"producer", "kafka-setup"}
    assert holders("kafka_report") == {"airflow-worker", "kafka-setup"}
    assert holders("kafka_connect") == {"connect", "connect-setup", "kafka-setup"}
    assert holders("postgres") == {"postgres-setup"}
    assert holders("postgres_password") == {"postgres"}
    assert holders("pgpass_reports") == {"report-api"}
    assert holders("report_api") == {"report-api"}
    assert holders("report_api_writer") == {"airflow-worker"}
    assert holders("report_api_reader") == {"airflow-worker", "dashboard"}
    assert holders("s3") == {
        "s3", "s3-setup", "spark-master", "spark-worker", "spark-connect", "spark-setup", "airflow-worker",
    }  # fmt: skip


def test_nobody_gets_the_authoritys_key(model: Model) -> None:
    assert not [name for name, secret in model["secrets"].items() if secret["file"].endswith("ca.key")]


def test_examples_name_what_is_generated(made: Path) -> None:
    examples = {file.name.removesuffix(".example") for file in (PROJECT_ROOT / "env").glob("*.creds.example")}
    assert examples == {file.name for file in made.glob("*.creds")}
    for name in examples:
        example = dotenv_values(PROJECT_ROOT / "env" / f"{name}.example")
        real = dotenv_values(made / name)
        assert list(example) == list(real), name
        assert not {value for value in example.values() if value and len(value) > 16}, f"{name}: a real one?"
