"""A warm Spark Connect server: the JVM starts once, a report only brings its query."""

from __future__ import annotations

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
        "spark.connect.session.manager.defaultSessionTimeout": "5m",
        "spark.hadoop.fs.s3a.endpoint": f"http://{HOST}:{stack.local.s3_port}",
        "spark.hadoop.fs.s3a.endpoint.region": "us-east-1",
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.connection.ssl.enabled": "false",
        "spark.hadoop.fs.s3a.access.key": secrets["S3_ACCESS_KEY"],
        "spark.hadoop.fs.s3a.secret.key": secrets["S3_SECRET_KEY"],
        "spark.hadoop.fs.s3a.aws.credentials.provider": "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
    }


def services(stack: Stack) -> list[Service]:
    import pyspark

    home = Path(pyspark.__file__).parent
    configuration = run_dir() / "spark.properties"

    def configure() -> None:
        (data_dir() / "spark").mkdir(parents=True, exist_ok=True)
        write_private(configuration, "".join(f"{name} {value}\n" for name, value in _properties(stack).items()))

    def warm_up() -> None:
        run_step(python_module("local.spark_warmup"), stack.environment, log_dir() / "spark-warmup.log")

    return [
        Service(
            name="spark",
            title="Spark Connect",
            command=[
                java.java(),
                f"-Xmx{stack.local.spark_heap_mb}m",
                "-XX:+UseSerialGC",
                "-XX:+IgnoreUnrecognizedVMOptions",
                "-Dio.netty.tryReflectionSetAccessible=true",
                "-Dio.netty.noUnsafe=false",  # Arrow's buffers need it, and netty turns it off on Java 25
                "-Djdk.reflect.useDirectMethodHandle=false",
                "--sun-misc-unsafe-memory-access=allow",
                "--enable-native-access=ALL-UNNAMED",
                "-Dderby.system.home=" + str(data_dir() / "spark"),
                *(f"--add-opens={package}=ALL-UNNAMED" for package in _OPENED),
                "-cp",
                f"{home / 'jars'}/*:{java.jar_dir('s3a')}/*",
                "org.apache.spark.deploy.SparkSubmit",
                *("--properties-file", str(configuration)),
                *("--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "spark-internal"),
            ],
            probe=probes.tcp(stack.local.spark_port),
            needs=("s3",),
            environment={"SPARK_HOME": str(home), "SPARK_LOCAL_IP": HOST, "SPARK_LOCAL_HOSTNAME": HOST},
            address=f"sc://{HOST}:{stack.local.spark_port}",
            install=java.install_jars,
            configure=configure,
            prepare=warm_up,
        )
    ]
