"""The folder of Connect's plugins: the ClickHouse sink out of its archive, and Apicurio's converter.

`python -m connect.plugins` makes it at `CONNECT_PLUGIN_PATH`, for an image; the local profile makes it in its cache.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import httpx

from clickpulse.errors import ClickpulseError, ConfigurationError, TransientError
from clickpulse.settings import ConnectSettings

_DOWNLOAD_SECONDS = 60
_JVM = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


def checked_archive(settings: ConnectSettings, downloads: Path) -> Path:
    """The connector's archive, verified: the one given, or the release, downloaded once into `downloads`.

    Raises:
        ConfigurationError: no checksum is set, the file is not there, or it is another one.
        TransientError: the release page does not give it.
    """
    if settings.sink_sha256 is None:
        raise ConfigurationError(
            "CONNECT_SINK_SHA256 is not set, so the ClickHouse sink for Kafka Connect is not installed: download "
            f"{settings.sink_url}, run `sha256sum` on it, compare with what others publish, and set the variable (in "
            "the environment or env/connect.env); or use the embedded sink (SINK=embedded)"
        )
    name = Path(settings.sink_url.path or "").name
    archive = settings.sink_archive or downloads / f"{settings.sink_sha256[:16]}-{name}"
    if settings.sink_archive is None and not archive.is_file():
        _download(str(settings.sink_url), archive, settings.sink_sha256)
    if not archive.is_file():
        raise ConfigurationError(f"CONNECT_SINK_ARCHIVE: there is no file {archive}")
    _verify(archive, settings.sink_sha256)
    return archive


def _download(url: str, target: Path, sha256: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        part = Path(folder, target.name)
        try:
            with (
                httpx.stream("GET", url, follow_redirects=True, timeout=_DOWNLOAD_SECONDS) as answer,
                part.open("wb") as out,
            ):
                answer.raise_for_status()
                for chunk in answer.iter_bytes():
                    out.write(chunk)
        except httpx.HTTPError as error:
            raise TransientError(
                f"{url} can't be had ({error}): check the network or the proxy (HTTPS_PROXY), or bring the archive by "
                "other means and name it in CONNECT_SINK_ARCHIVE"
            ) from error
        _verify(part, sha256, url)
        part.replace(target)


def _verify(file: Path, sha256: str, source: str = "") -> None:
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    if digest != sha256:
        raise ConfigurationError(
            f"{source or file} has SHA-256 {digest} and CONNECT_SINK_SHA256 is {sha256}: it was altered, or it is "
            "another version; nothing was installed"
        )


def assemble(archive: Path, converter_jars: Path, target: Path, *, java: str, kafka_jars: Path) -> None:
    """Make the plugin folder `target` in one step; what is there already is kept as it is.

    Plugins are found by their manifests (`plugin.discovery=service_load`, 20 s faster than scanning classes), which
    Kafka's own tool adds to jars that have none.
    """
    if target.is_dir():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        made = Path(folder, "plugins")
        shutil.copytree(converter_jars, made / "apicurio-converter")
        _unpack(archive, made / "clickhouse-kafka-connect")
        tool = ["org.apache.kafka.tools.ConnectPluginPath", "sync-manifests", "--plugin-path", str(made)]
        command = [java, *_JVM, "-cp", f"{kafka_jars}/*", *tool]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ClickpulseError(f"the plugins' manifests could not be written: {(done.stderr or done.stdout)[-500:]}")
        if not target.is_dir():
            made.rename(target)


def _unpack(archive: Path, folder: Path) -> None:
    """The jars of a release archive; a jar is its own."""
    folder.mkdir()
    with zipfile.ZipFile(archive) as content:
        jars = [name for name in content.namelist() if name.endswith(".jar")]
        for name in jars:
            with content.open(name) as jar, (folder / Path(name).name).open("wb") as out:
                shutil.copyfileobj(jar, out)
    if not jars:
        shutil.copyfile(archive, folder / archive.with_suffix(".jar").name)


def main() -> int:
    try:
        settings = ConnectSettings.load()
        if settings.plugin_path is None or settings.jars is None or settings.converter_jars is None:
            raise ConfigurationError("set CONNECT_PLUGIN_PATH, CONNECT_JARS and CONNECT_CONVERTER_JARS")
        archive = checked_archive(settings, settings.run_dir)
        assemble(archive, settings.converter_jars, settings.plugin_path, java=settings.java, kafka_jars=settings.jars)
    except ClickpulseError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - this is a command
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
