"""The lock file of the jars, and what Ivy is asked for."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from clickpulse.errors import ConfigurationError
from local import java


def test_every_line_of_the_lock_is_an_artifact_with_a_checksum() -> None:
    lines = [line for line in java.LOCK_FILE.read_text().splitlines() if line and not line.startswith("#")]
    artifacts = java.locked_artifacts()
    assert len(artifacts) == len(lines)
    assert all(len(artifact.sha256) == 64 for artifact in artifacts)
    assert len({artifact.path for artifact in artifacts}) == len(artifacts)
    assert {artifact.set_name for artifact in artifacts} == {"kafka", "s3a", "registry", "connect"}


def test_ivy_is_asked_for_exactly_the_locked_versions_without_transitive_ones(tmp_path: Path) -> None:
    artifacts = java.locked_artifacts()
    java._write_ivy_files(artifacts, tmp_path)
    dependencies = ET.parse(tmp_path / "ivy.xml").getroot().findall("dependencies/dependency")
    asked = {(d.get("org"), d.get("name"), d.get("rev"), d.get("transitive")) for d in dependencies}
    assert asked == {(a.group, a.name, a.version, "false") for a in artifacts}
    archive = next(d for d in dependencies if d.get("name") == "apicurio-registry-app").find("artifact")
    assert archive is not None
    assert archive.get("ext") == "tar.gz"


def test_an_altered_download_is_refused_and_nothing_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLICKPULSE_CACHE", str(tmp_path))

    def altered(artifacts: list[java.Artifact], folder: Path) -> None:
        for artifact in artifacts:
            file = Path(folder, "lib", *artifact.path.parts[-2:])
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"something else")

    monkeypatch.setattr(java, "_retrieve", altered)
    with pytest.raises(ConfigurationError, match="SHA-256"):
        java.install_jars()
    assert not (tmp_path / "jars").exists()
