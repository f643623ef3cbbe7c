"""A warm Spark Connect server: the JVM starts once, a report only brings its query."""

from __future__ import annotations

import sys
from pathlib import Path

from dotenv import dotenv_values

from clickpulse.settings import creds_dir
from local import java, probes
from local.credentials import write_private
from local.services.base import Service, Stack, python_module, run_step
from local.settings import HOST, data_dir, log_dir, run_dir

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
"""What Spark and Arrow reach into; `spark-submit` adds the same, and a module that this runtime does not have."""


def _properties(stack: Stack) -> dict[str, object]:
    secrets = dotenv_values(creds_dir() / "s3.creds")
    return {
        "spark.app.name": "clickpulse",
        "spark.master": "local[*]",
        "spark.driver.host": HOST,
        "spark.driver.bindAddress": HOST,
        "spark.connect.grpc.binding.address": HOST,
        "spark.connect.grpc.binding.port": stack.local.spark_port,
        "spark.ui.enabled": "false",
        "spark.local.dir": data_dir() / "spark",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": 1,
        "spark.sql.warehouse.dir": data_dir() / "spark" / "warehouse",
        "spark.connect.session.manager.defaultSessionTimeout": "65m",
        "spark.hadoop.fs.s3a.endpoint": f"http://{HOST}:{stack.local.s3_port}",
        "spark.hadoop.fs.s3a.endpoint.region": "us-east-1",
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.connection.ssl.enabled": "false",
        "spark.hadoop.fs.s3a.access.key": secrets["S3_ACCESS_KEY"],
        "spark.hadoop.fs.s3a.secret.key": secrets["S3_SECRET_KEY"],
        "spark.hadoop.fs.s3a.aws.credentials.provider": "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
    }


def spark_home() -> Path:
    """The folder of PySpark, which has Spark's jars."""
    import pyspark

    return Path(pyspark.__file__).parent


def jvm_options() -> list[str]:
    """What a JVM with Spark in it needs on this Java."""
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


def submit_command(options: list[str], application: str, arguments: list[str]) -> list[str]:
    """Java's arguments for what `spark-submit` does; its script asks for a module that this runtime lacks."""
    classpath = f"{spark_home() / 'jars'}/*:{java.jar_dir('s3a')}/*"
    return [*jvm_options(), "-cp", classpath, "org.apache.spark.deploy.SparkSubmit", *options, application, *arguments]


def submit_environment() -> dict[str, str]:
    """Variables of a process that runs Spark: only the loopback interface is used."""
    return {
        "SPARK_HOME": str(spark_home()),
        "SPARK_LOCAL_IP": HOST,
        "SPARK_LOCAL_HOSTNAME": HOST,
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
    }


def services(stack: Stack) -> list[Service]:
    configuration = run_dir() / "spark.properties"
    server = ["--class", "org.apache.spark.sql.connect.service.SparkConnectServer"]

    def configure() -> None:
        (data_dir() / "spark").mkdir(parents=True, exist_ok=True)
        write_private(configuration, "".join(f"{name} {value}\n" for name, value in _properties(stack).items()))

    def warm_up() -> None:
        run_step(python_module("spark.warm_up"), stack.environment, log_dir() / "spark-warmup.log")

    return [
        Service(
            name="spark",
            title="Spark Connect",
            command=[
                java.java(),
                f"-Xmx{stack.local.spark_heap_mb}m",
                *submit_command(["--properties-file", str(configuration), *server], "spark-internal", []),
            ],
            probe=probes.tcp(stack.local.spark_port),
            needs=("s3",),
            environment=submit_environment(),
            address=f"sc://{HOST}:{stack.local.spark_port}",
            install=java.install_jars,
            configure=configure,
            prepare=warm_up,
        )
    ]
